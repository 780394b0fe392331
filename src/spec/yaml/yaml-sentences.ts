import type { YAMLError } from "yaml";
import type { Complaint } from "../source.ts";

/**
 * Our sentence for an error of the YAML library. Its own messages are not used: they repeat parts
 * of the file, which may be secret.
 */
export function sentenceOfYamlError(error: YAMLError): Complaint {
  const known = sentences[error.code];
  if (known !== undefined) return known;
  return { sentence: 'This is not YAML as it should be: wanted "key: value" lines' };
}

const sentences: Readonly<Partial<Record<YAMLError["code"], Complaint>>> = {
  ALIAS_PROPS: { sentence: "An alias carries an anchor or tag: wanted the alias alone" },
  BAD_ALIAS: { sentence: 'An alias has no usable name: wanted "*" and the name of an anchor' },
  BAD_DIRECTIVE: { sentence: "This directive is unknown: wanted none" },
  BAD_DQ_ESCAPE: {
    sentence: 'This escape is unknown in double quotes: wanted one such as "\\n" or "\\\\"',
    hint: "Use single quotes to take backslashes as they are",
  },
  BAD_INDENT: {
    sentence: "The indentation does not fit: wanted the same as the lines of the same block",
    hint: "Look for a bracket, brace or quote that is not closed, and for blanks too many or too few",
  },
  BAD_PROP_ORDER: {
    sentence: "An anchor or tag is in the wrong place: wanted it before the value",
  },
  BAD_SCALAR_START: {
    sentence: "A plain text cannot start with this character: wanted it in quotes",
    hint: "Put the whole value in quotes",
  },
  BLOCK_AS_IMPLICIT_KEY: {
    sentence: "A block stands where one value belongs: wanted one key and one value on a line",
    hint: 'A value that holds ": " needs quotes',
  },
  BLOCK_IN_FLOW: { sentence: "A block stands inside brackets or braces: wanted commas" },
  DUPLICATE_KEY: { sentence: "A key is set twice: wanted it once" },
  IMPOSSIBLE: { sentence: 'This is not YAML as it should be: wanted "key: value" lines' },
  KEY_OVER_1024_CHARS: { sentence: "A key is longer than 1024 characters: wanted a short one" },
  MISSING_CHAR: {
    sentence:
      "A character is missing here: wanted a closing quote, bracket or brace, a comma, a colon or a blank",
  },
  MULTILINE_IMPLICIT_KEY: {
    sentence: 'A key goes over several lines: wanted "key: value" on one line',
    hint: "Look for a missing colon or quote on the line before",
  },
  MULTIPLE_ANCHORS: { sentence: "A value has several anchors: wanted one" },
  MULTIPLE_DOCS: { sentence: "The file holds a second document: wanted one" },
  MULTIPLE_TAGS: { sentence: "A value has several tags: wanted none" },
  NON_STRING_KEY: { sentence: "A key is not a text: wanted a plain name" },
  TAB_AS_INDENT: {
    sentence: "A tab is used for indentation: wanted blanks",
    hint: "Replace tabs at the start of lines with blanks",
  },
  TAG_RESOLVE_FAILED: {
    sentence: "This tag is unknown or does not fit its value: wanted plain YAML without tags",
  },
  UNEXPECTED_TOKEN: {
    sentence: "Something unexpected stands here: wanted a key, a value or the next line",
    hint: 'Look for a quote, bracket or brace that is one too many, and quote values that hold ": " or " #"',
  },
  BAD_COLLECTION_TYPE: {
    sentence: "This tag does not fit its value: wanted plain YAML without tags",
  },
  RESOURCE_EXHAUSTION: { sentence: "The file is too complex: wanted a simpler one" },
};

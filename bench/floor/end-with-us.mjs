// A floor must not outlive a benchmark that is killed. The product has its machines started through two more programs
// that ask for a parent-death signal; their time would count as the floor's. So one shell, told of every floor, ends what
// is left when the benchmark's end of its pipe closes.
import { spawn } from "node:child_process";

const script = `
pids=' '
while read -r what pid; do
  case $what in
    started) pids="$pids$pid " ;;
    ended) pids="\${pids%% $pid *} \${pids#* $pid }" ;;
  esac
done
[ "$pids" = ' ' ] || kill -KILL $pids
`;

let shell = null;

/** Has a child end when this process does, however that ends; costs the child nothing. */
export function endWithUs(child) {
  if (child.pid === undefined) return;
  shell ??= startShell();
  shell.stdin.write(`started ${child.pid}\n`);
  child.once("exit", () => shell.stdin.write(`ended ${child.pid}\n`));
}

/** In a session of its own, so that what ends the benchmark's group leaves it to do its work. */
function startShell() {
  const own = spawn("/bin/sh", ["-c", script], {
    detached: true,
    stdio: ["pipe", "ignore", "inherit"],
  });
  own.stdin.on("error", () => {});
  own.unref();
  own.stdin.unref();
  return own;
}

package mux

import "sync"

// chunkBytes fills one packet of the network and leaves none that is nearly empty: a packet costs the machine more than its bytes.
const chunkBytes = 60 << 10

// Received bytes live in chunks of one size that are used again: a busy transfer makes no garbage.
var chunks struct {
	sync.Mutex
	free [][]byte
}

const chunksKept = 16

// smallChunkBytes is the least: what the link gives at once.
const smallChunkBytes = readBytes

func takeChunk() []byte {
	chunks.Lock()
	defer chunks.Unlock()
	if n := len(chunks.free); n > 0 {
		c := chunks.free[n-1]
		chunks.free = chunks.free[:n-1]
		return c
	}
	return make([]byte, 0, chunkBytes)
}

func giveChunk(c []byte) {
	chunks.Lock()
	if len(chunks.free) < chunksKept && cap(c) == chunkBytes {
		chunks.free = append(chunks.free, c[:0])
	}
	chunks.Unlock()
}

// queue is a run of received bytes.
type queue struct {
	list    [][]byte
	off     int  // consumed bytes of list[0]
	filling bool // somebody writes into room: the last chunk must stay
	size    int  // of a chunk, 0: chunkBytes
}

// fit makes chunks as small as a window is: many streams with a few bytes each must not hold a large chunk each.
func (q *queue) fit(window int) {
	q.size = max(window/2, smallChunkBytes)
	if q.size >= chunkBytes {
		q.size = 0
	}
}

// room returns space for more bytes; grow makes them part of the queue.
func (q *queue) room() []byte {
	if n := len(q.list); n > 0 {
		if last := q.list[n-1]; len(last) < cap(last) {
			return last[len(last):cap(last)]
		}
	}
	var c []byte
	if q.size == 0 {
		c = takeChunk()
	} else {
		c = make([]byte, 0, q.size)
	}
	q.list = append(q.list, c)
	return c[:cap(c)]
}

func (q *queue) grow(n int) {
	last := &q.list[len(q.list)-1]
	*last = (*last)[:len(*last)+n]
}

func (q *queue) append(p []byte) {
	for len(p) > 0 {
		n := copy(q.room(), p)
		q.grow(n)
		p = p[n:]
	}
}

// view returns the first unread bytes, nil when there are none.
func (q *queue) view() []byte {
	if len(q.list) > 1 && q.off == len(q.list[0]) {
		q.drop(0) // kept while it was filled
	}
	if len(q.list) == 0 {
		return nil
	}
	return q.list[0][q.off:]
}

// drop consumes n bytes of the view.
func (q *queue) drop(n int) {
	q.off += n
	if q.off < len(q.list[0]) || q.filling && len(q.list) == 1 {
		return
	}
	giveChunk(q.list[0])
	q.list[0] = nil
	q.list = q.list[1:]
	if len(q.list) == 0 {
		q.list = nil
	}
	q.off = 0
}

func (q *queue) clear() {
	for _, c := range q.list {
		giveChunk(c)
	}
	q.list, q.off = nil, 0
}

package abciclient

import abcicli "github.com/cometbft/cometbft/abci/client"

// fifo holds requests in the order in which they were sent. It keeps its memory: a loaded node has hundreds in flight.
type fifo struct {
	items []*abcicli.ReqRes
	head  int
}

func (f *fifo) push(request *abcicli.ReqRes) {
	if f.head > len(f.items)/2 {
		// More than half is used up: move the rest to the front rather than grow for ever.
		kept := copy(f.items, f.items[f.head:])
		clear(f.items[kept:])
		f.items, f.head = f.items[:kept], 0
	}
	f.items = append(f.items, request)
}

// front returns the oldest request, nil when there is none.
func (f *fifo) front() *abcicli.ReqRes {
	if f.head == len(f.items) {
		return nil
	}
	return f.items[f.head]
}

// pop removes and returns the oldest request, nil when there is none.
func (f *fifo) pop() *abcicli.ReqRes {
	request := f.front()
	if request != nil {
		f.items[f.head] = nil
		f.head++
	}
	return request
}

// Package abciclient is the engine's side of an ABCI socket: it asks the application and hands back its answers.
//
// It stands where CometBFT's own socket client stands (abcicli.Client) and differs in one thing: when bytes leave.
// The released client lets a timer decide, whose period is so short that it costs a good part of the node's CPU and
// sends nearly every request by itself. Here the writer sends whatever is queued as soon as the queue is empty, so
// requests that arrive together leave together and a lonely one leaves at once. There is no timer.
//
// What callers may rely on, as with the released client:
//   - answers of one connection come in the order of the requests; any other answer ends the client;
//   - for each answer, in this order and before the next answer is looked at: its ReqRes is done, the callback for
//     all answers runs, the callback of this ReqRes runs;
//   - a call that waits returns after the callbacks of its own answer and of all earlier ones;
//   - a lost connection or an Exception stops the client: Error() says why, Quit() is closed, everybody who waits is
//     released. The node ends itself when it sees that.
package abciclient

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	abcicli "github.com/cometbft/cometbft/abci/client"
	"github.com/cometbft/cometbft/abci/types"
	cmtnet "github.com/cometbft/cometbft/libs/net"
	"github.com/cometbft/cometbft/libs/protoio"
	"github.com/cometbft/cometbft/libs/service"
)

const (
	// How many calls may wait for the writer. Whoever comes then has to wait: it is what slows the RPC and the
	// peers down to the application's pace, and it bounds what a Commit has to wait for.
	queueLength = 256
	// Pieces in which the socket is written and read.
	bufferBytes = 1 << 16
	// The limit that CometBFT sets itself.
	maxAnswerBytes = 1<<31 - 1
	// The application may start after the engine.
	dialPause    = 200 * time.Millisecond
	dialsPerLine = 15
)

// ErrStopped is what a call gets when the client was stopped in an orderly way before the answer came.
var ErrStopped = errors.New("the ABCI client is stopped")

// call is what the queue carries: a request and, for callers that wait, the Flush behind it.
type call struct {
	request *abcicli.ReqRes
	flush   *abcicli.ReqRes
}

// Client is one connection to the application. Any number of goroutines may use it.
type Client struct {
	service.BaseService

	address     string
	mustConnect bool
	queue       chan call
	// Tells the writer that no Flush is on its way any more.
	flushed chan struct{}
	// Flush requests that were written and not answered.
	flushes atomic.Int64

	mutex      sync.Mutex
	stopped    bool
	failure    error
	connection net.Conn
	listener   abcicli.Callback
	sent       fifo
}

var _ abcicli.Client = (*Client)(nil)

// New returns a client for "unix:///path" or "tcp://host:port". With mustConnect, Start fails when nobody listens;
// without, it tries until somebody does or the client is stopped.
func New(address string, mustConnect bool) *Client {
	client := &Client{
		address:     address,
		mustConnect: mustConnect,
		queue:       make(chan call, queueLength),
		flushed:     make(chan struct{}, 1),
	}
	client.BaseService = *service.NewBaseService(nil, "abciClient", client)
	return client
}

// OnStart connects. Called by Start.
func (c *Client) OnStart() error {
	connection, err := c.dial()
	if err != nil {
		return err
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.stopped {
		_ = connection.Close()
		return ErrStopped
	}
	c.connection = connection
	go c.write(connection)
	go c.read(connection)
	return nil
}

func (c *Client) dial() (net.Conn, error) {
	for attempt := 0; ; attempt++ {
		connection, err := cmtnet.Connect(c.address)
		if err == nil || c.mustConnect {
			return connection, err
		}
		if attempt%dialsPerLine == 0 {
			c.Logger.Error("the application does not answer, trying on", "address", c.address, "err", err)
		}
		select {
		case <-time.After(dialPause):
		case <-c.Quit():
			return nil, ErrStopped
		}
	}
}

// OnStop closes the connection and releases everybody who waits. Called by Stop.
func (c *Client) OnStop() {
	c.mutex.Lock()
	// From here on nothing is tracked any more, so what is released here is all that was.
	c.stopped = true
	connection := c.connection
	for request := c.sent.pop(); request != nil; request = c.sent.pop() {
		request.Done()
	}
	c.mutex.Unlock()
	if connection != nil {
		_ = connection.Close()
	}
	c.releaseQueue()
}

func (c *Client) releaseQueue() {
	for {
		select {
		case waiting := <-c.queue:
			release(waiting)
		default:
			return
		}
	}
}

func release(waiting call) {
	waiting.request.Done()
	if waiting.flush != nil {
		waiting.flush.Done()
	}
}

// Error returns why the client stopped by itself; nil while it runs and after an orderly Stop.
func (c *Client) Error() error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.failure
}

// SetResponseCallback sets what is called with every answer, answers to Flush requests included.
func (c *Client) SetResponseCallback(callback abcicli.Callback) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.listener = callback
}

// fail stops the client for a reason, unless it is stopped already.
func (c *Client) fail(err error) {
	if !c.IsRunning() {
		return
	}
	c.mutex.Lock()
	if c.failure == nil {
		c.failure = err
	}
	c.mutex.Unlock()
	c.Logger.Error("stopping the ABCI client", "err", err)
	if err := c.Stop(); err != nil && !errors.Is(err, service.ErrAlreadyStopped) {
		c.Logger.Error("the ABCI client did not stop", "err", err)
	}
}

// enqueue hands a call to the writer and waits while the queue is full.
func (c *Client) enqueue(ctx context.Context, waiting call) error {
	select {
	case c.queue <- waiting:
	case <-ctx.Done():
		return ctx.Err()
	case <-c.Quit():
		release(waiting)
		return nil
	}
	c.mutex.Lock()
	stopped := c.stopped
	c.mutex.Unlock()
	if stopped {
		// OnStop may have emptied the queue before this call was in it, and nobody else would.
		c.releaseQueue()
	}
	return nil
}

// write sends what is queued until the client stops.
func (c *Client) write(connection net.Conn) {
	buffer := bufio.NewWriterSize(connection, bufferBytes)
	messages := protoio.NewDelimitedWriter(buffer)
	// Whether a request was written after the last Flush request.
	unflushed := false
	send := func(request *abcicli.ReqRes, isFlush bool) error {
		// Before it is sent, for the answer may be quicker than we are.
		c.track(request, isFlush)
		unflushed = !isFlush
		_, err := messages.WriteMsg(request.Request)
		return err
	}
	for {
		select {
		case waiting := <-c.queue:
			if err := c.drain(waiting, send); err != nil {
				c.fail(fmt.Errorf("write to the application: %w", err))
				return
			}
		case <-c.flushed:
		case <-c.Quit():
			return
		}
		// An application may hold answers back until it is asked to flush, so a Flush has to follow every
		// request. One on its way is enough: when it is answered, the next one goes for all that came between.
		var err error
		if unflushed && c.flushes.Load() == 0 {
			err = send(abcicli.NewReqRes(types.ToRequestFlush()), true)
		}
		if err == nil {
			err = buffer.Flush()
		}
		if err != nil {
			c.fail(fmt.Errorf("write to the application: %w", err))
			return
		}
	}
}

// drain writes a call and all that wait behind it into the buffer.
func (c *Client) drain(waiting call, send func(*abcicli.ReqRes, bool) error) error {
	for {
		_, isFlush := waiting.request.Request.Value.(*types.Request_Flush)
		if err := send(waiting.request, isFlush); err != nil {
			return err
		}
		if waiting.flush != nil {
			if err := send(waiting.flush, true); err != nil {
				return err
			}
		}
		select {
		case waiting = <-c.queue:
		default:
			return nil
		}
	}
}

// track remembers a request until its answer comes.
func (c *Client) track(request *abcicli.ReqRes, isFlush bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.stopped {
		request.Done()
		return
	}
	if isFlush {
		c.flushes.Add(1)
	}
	c.sent.push(request)
}

// read takes answers until the client stops.
func (c *Client) read(connection net.Conn) {
	messages := protoio.NewDelimitedReader(bufio.NewReaderSize(connection, bufferBytes), maxAnswerBytes)
	for {
		answer := &types.Response{}
		if _, err := messages.ReadMsg(answer); err != nil {
			c.fail(fmt.Errorf("read from the application: %w", err))
			return
		}
		if exception, is := answer.Value.(*types.Response_Exception); is {
			c.fail(errors.New(exception.Exception.Error))
			return
		}
		if err := c.deliver(answer); err != nil {
			c.fail(err)
			return
		}
	}
}

// deliver gives an answer to the oldest request.
func (c *Client) deliver(answer *types.Response) error {
	c.mutex.Lock()
	if c.stopped {
		c.mutex.Unlock()
		return ErrStopped
	}
	request := c.sent.front()
	if request == nil {
		c.mutex.Unlock()
		return abcicli.ErrUnexpectedResponse{Response: *answer, Reason: "nothing was asked"}
	}
	if reflect.TypeOf(answer.Value) != answerTo[reflect.TypeOf(request.Request.Value)] {
		c.mutex.Unlock()
		reason := fmt.Sprintf("the oldest request is a %T", request.Request.Value)
		return abcicli.ErrUnexpectedResponse{Response: *answer, Reason: reason}
	}
	c.sent.pop()
	request.Response = answer
	request.Done()
	listener := c.listener
	c.mutex.Unlock()

	if _, isFlush := answer.Value.(*types.Response_Flush); isFlush && c.flushes.Add(-1) == 0 {
		select {
		case c.flushed <- struct{}{}:
		default:
		}
	}
	if listener != nil {
		listener(request.Request, answer)
	}
	request.InvokeCallback()
	return nil
}

// answerTo names the answer that each request must get.
var answerTo = map[reflect.Type]reflect.Type{
	reflect.TypeFor[*types.Request_Echo]():                reflect.TypeFor[*types.Response_Echo](),
	reflect.TypeFor[*types.Request_Flush]():               reflect.TypeFor[*types.Response_Flush](),
	reflect.TypeFor[*types.Request_Info]():                reflect.TypeFor[*types.Response_Info](),
	reflect.TypeFor[*types.Request_InitChain]():           reflect.TypeFor[*types.Response_InitChain](),
	reflect.TypeFor[*types.Request_Query]():               reflect.TypeFor[*types.Response_Query](),
	reflect.TypeFor[*types.Request_CheckTx]():             reflect.TypeFor[*types.Response_CheckTx](),
	reflect.TypeFor[*types.Request_InsertTx]():            reflect.TypeFor[*types.Response_InsertTx](),
	reflect.TypeFor[*types.Request_ReapTxs]():             reflect.TypeFor[*types.Response_ReapTxs](),
	reflect.TypeFor[*types.Request_PrepareProposal]():     reflect.TypeFor[*types.Response_PrepareProposal](),
	reflect.TypeFor[*types.Request_ProcessProposal]():     reflect.TypeFor[*types.Response_ProcessProposal](),
	reflect.TypeFor[*types.Request_ExtendVote]():          reflect.TypeFor[*types.Response_ExtendVote](),
	reflect.TypeFor[*types.Request_VerifyVoteExtension](): reflect.TypeFor[*types.Response_VerifyVoteExtension](),
	reflect.TypeFor[*types.Request_FinalizeBlock]():       reflect.TypeFor[*types.Response_FinalizeBlock](),
	reflect.TypeFor[*types.Request_Commit]():              reflect.TypeFor[*types.Response_Commit](),
	reflect.TypeFor[*types.Request_ListSnapshots]():       reflect.TypeFor[*types.Response_ListSnapshots](),
	reflect.TypeFor[*types.Request_OfferSnapshot]():       reflect.TypeFor[*types.Response_OfferSnapshot](),
	reflect.TypeFor[*types.Request_LoadSnapshotChunk]():   reflect.TypeFor[*types.Response_LoadSnapshotChunk](),
	reflect.TypeFor[*types.Request_ApplySnapshotChunk]():  reflect.TypeFor[*types.Response_ApplySnapshotChunk](),
}

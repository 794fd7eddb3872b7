package abciclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	abcicli "github.com/cometbft/cometbft/abci/client"
	"github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/libs/service"
)

// patience is how long something that must happen may take before a test calls it a hang.
const patience = 20 * time.Second

var background = context.Background()

func start(t *testing.T, address string) *Client {
	t.Helper()
	client := New(address, true)
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Stop() })
	return client
}

// within fails the test when work does not end.
func within(t *testing.T, what string, work func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		work()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("hangs: %s", what)
	}
}

func TestEveryMethodGetsItsOwnAnswer(t *testing.T) {
	for _, holding := range []bool{false, true} {
		t.Run(fmt.Sprintf("holding=%v", holding), func(t *testing.T) {
			client := start(t, serve(t, &application{holding: holding}))
			calls := reflect.TypeFor[types.Application]()
			for index := range calls.NumMethod() {
				method := calls.Method(index)
				request := reflect.New(method.Type.In(1).Elem())
				var answers []reflect.Value
				within(t, method.Name, func() {
					answers = reflect.ValueOf(client).MethodByName(method.Name).Call(
						[]reflect.Value{reflect.ValueOf(background), request})
				})
				if !answers[1].IsNil() || answers[0].IsNil() {
					t.Errorf("%s: %v, %v", method.Name, answers[0], answers[1])
				}
			}
			within(t, "Echo and Flush", func() {
				if answer, err := client.Echo(background, "hello"); err != nil || answer.Message != "hello" {
					t.Errorf("Echo: %v, %v", answer, err)
				}
				if err := client.Flush(background); err != nil {
					t.Errorf("Flush: %v", err)
				}
			})
		})
	}
}

func TestEveryRequestHasAnAnswer(t *testing.T) {
	// Request and response are generated as one oneof each; the answer to X is called X.
	requests := (*types.Request)(nil).XXX_OneofWrappers()
	if len(requests) != len(answerTo) {
		t.Fatalf("%d requests, %d answers", len(requests), len(answerTo))
	}
	for _, request := range requests {
		kind := reflect.TypeOf(request)
		name := strings.Replace(kind.Elem().Name(), "Request_", "Response_", 1)
		if answer := answerTo[kind]; answer == nil || answer.Elem().Name() != name {
			t.Errorf("%v has answer %v", kind, answer)
		}
	}
}

func TestAnswersKeepTheOrderOfTheRequests(t *testing.T) {
	const count = 5000
	client := start(t, serve(t, &application{}))
	var answered []string
	client.SetResponseCallback(func(request *types.Request, answer *types.Response) {
		// The fake answers with what it was asked.
		if check := request.GetCheckTx(); check != nil {
			answered = append(answered, string(answer.GetCheckTx().Data))
		}
	})
	for index := range count {
		asked, err := client.CheckTxAsync(background, &types.RequestCheckTx{Tx: fmt.Append(nil, index)})
		if err != nil {
			t.Fatal(err)
		}
		asked.SetCallback(func(answer *types.Response) {
			if got := string(answer.GetCheckTx().Data); got != fmt.Sprint(index) {
				t.Errorf("request %d got the answer to %s", index, got)
			}
		})
	}
	within(t, "Flush", func() { _ = client.Flush(background) })
	if len(answered) != count {
		t.Fatalf("%d answers", len(answered))
	}
	for index, text := range answered {
		if text != fmt.Sprint(index) {
			t.Fatalf("answer %d is that of %s", index, text)
		}
	}
}

func TestAnAnswerThatNobodyAskedForStopsTheClient(t *testing.T) {
	client := start(t, serve(t, &application{greeting: true}))
	within(t, "Quit", func() { <-client.Quit() })
	if err := client.Error(); err == nil || !strings.Contains(err.Error(), "nothing was asked") {
		t.Errorf("Error() is %v", err)
	}
}

// trace runs a fixed script and writes down what callbacks and callers see.
func trace(t *testing.T, client abcicli.Client) []string {
	t.Helper()
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Stop() }()
	var mutex sync.Mutex
	var seen []string
	note := func(format string, values ...any) {
		mutex.Lock()
		defer mutex.Unlock()
		seen = append(seen, fmt.Sprintf(format, values...))
	}
	client.SetResponseCallback(func(request *types.Request, answer *types.Response) {
		if check := request.GetCheckTx(); check != nil {
			note("all %s %s", check.Tx, answer.GetCheckTx().Data)
		}
	})
	// "wait" holds the application up, so that the callback is there before the answer.
	for _, name := range []string{"wait", "b", "c"} {
		asked, err := client.CheckTxAsync(background, &types.RequestCheckTx{Tx: []byte(name)})
		if err != nil {
			t.Fatal(err)
		}
		asked.SetCallback(func(answer *types.Response) {
			asked.Wait() // done before its callback runs
			note("own %s %s", name, answer.GetCheckTx().Data)
		})
	}
	within(t, "Flush", func() { _ = client.Flush(background) })
	note("flushed")
	within(t, "CheckTx", func() { _, _ = client.CheckTx(background, &types.RequestCheckTx{Tx: []byte("sync")}) })
	note("checked")
	late, err := client.CheckTxAsync(background, &types.RequestCheckTx{Tx: []byte("late")})
	if err != nil {
		t.Fatal(err)
	}
	within(t, "Flush", func() { _ = client.Flush(background) })
	late.SetCallback(func(*types.Response) { note("own late") })
	late.InvokeCallback() // a callback that ran at once is not kept
	note("end")
	return seen
}

func TestCallbacksAreThoseOfTheReleasedClient(t *testing.T) {
	address := serve(t, &application{})
	ours := trace(t, New(address, true))
	released := trace(t, abcicli.NewSocketClient(address, true))
	if !reflect.DeepEqual(ours, released) {
		t.Errorf("ours     %q\nreleased %q", ours, released)
	}
	want := []string{
		"all wait wait", "own wait wait", "all b b", "own b b", "all c c", "own c c", "flushed",
		"all sync sync", "checked", "all late late", "own late", "end",
	}
	if !reflect.DeepEqual(ours, want) {
		t.Errorf("ours %q\nwant %q", ours, want)
	}
}

func TestManyCallersAtOnce(t *testing.T) {
	const callers, each = 16, 300
	for _, holding := range []bool{false, true} {
		t.Run(fmt.Sprintf("holding=%v", holding), func(t *testing.T) {
			client := start(t, serve(t, &application{holding: holding}))
			var answered atomic.Int64
			within(t, "callers", func() {
				var group sync.WaitGroup
				for caller := range callers {
					group.Go(func() {
						for index := range each {
							text := fmt.Sprintf("%d/%d", caller, index)
							if caller%2 == 0 {
								answer, err := client.Echo(background, text)
								if err != nil || answer.Message != text {
									t.Errorf("%s: %v, %v", text, answer, err)
								}
								answered.Add(1)
								continue
							}
							asked, err := client.CheckTxAsync(background, &types.RequestCheckTx{Tx: []byte(text)})
							if err != nil {
								t.Error(err)
								return
							}
							asked.SetCallback(func(answer *types.Response) {
								if got := string(answer.GetCheckTx().Data); got != text {
									t.Errorf("%s got %s", text, got)
								}
								answered.Add(1)
							})
						}
					})
				}
				group.Wait()
				if err := client.Flush(background); err != nil {
					t.Error(err)
				}
			})
			if answered.Load() != callers*each {
				t.Errorf("%d of %d answers", answered.Load(), callers*each)
			}
		})
	}
}

func TestALonelyRequestLeavesAtOnce(t *testing.T) {
	for _, holding := range []bool{false, true} {
		t.Run(fmt.Sprintf("holding=%v", holding), func(t *testing.T) {
			client := start(t, serve(t, &application{holding: holding}))
			for range 100 {
				asked, err := client.CheckTxAsync(background, &types.RequestCheckTx{Tx: []byte("alone")})
				if err != nil {
					t.Fatal(err)
				}
				within(t, "a request that nobody flushes", asked.Wait)
			}
		})
	}
}

func TestRequestsThatCameTogetherShareAFlush(t *testing.T) {
	const count = 2000
	app := &application{}
	client := start(t, serve(t, app))
	// Holds the application up until all others are queued or on the way.
	if _, err := client.CheckTxAsync(background, &types.RequestCheckTx{Tx: []byte("wait")}); err != nil {
		t.Fatal(err)
	}
	for range count {
		if _, err := client.CheckTxAsync(background, &types.RequestCheckTx{Tx: []byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	within(t, "Flush", func() { _ = client.Flush(background) })
	// One behind the first request, ours, and what little ran beside the answers.
	if flushes := app.flushes.Load(); flushes > count/20 {
		t.Errorf("%d flushes for %d requests", flushes, count)
	}
}

func TestAFailureStopsTheClientAndReleasesEverybody(t *testing.T) {
	for name, expected := range map[string]string{
		"exception": "the database is gone",
		"hang up":   "the application: ",
		"cut":       "the application: ",
		"garbage":   "the application: ",
		"other":     "unexpected response",
		"twice":     "unexpected response",
	} {
		t.Run(name, func(t *testing.T) {
			client := start(t, serve(t, &application{}))
			var called atomic.Bool
			client.SetResponseCallback(func(request *types.Request, _ *types.Response) {
				if request.GetCheckTx() != nil && name != "twice" {
					called.Store(true)
				}
			})
			asked, err := client.CheckTxAsync(background, &types.RequestCheckTx{Tx: []byte(name)})
			if err != nil {
				t.Fatal(err)
			}
			within(t, "waiters", func() {
				var group sync.WaitGroup
				for range 8 {
					group.Go(func() {
						if _, err := client.Echo(background, "behind"); err == nil && name != "twice" {
							t.Error("a call behind the failure succeeded")
						}
					})
				}
				group.Wait()
				asked.Wait()
			})
			within(t, "Quit", func() { <-client.Quit() })
			if client.IsRunning() {
				t.Error("still running")
			}
			if err := client.Error(); err == nil || !strings.Contains(err.Error(), expected) {
				t.Errorf("Error() is %v", err)
			}
			if called.Load() {
				t.Error("a callback ran without an answer")
			}
			// As the mempool does: no error, no panic, no hang, and nothing that looks like an answer.
			within(t, "calls on a failed client", func() {
				asked, err := client.CheckTxAsync(background, &types.RequestCheckTx{Tx: []byte("late")})
				if err != nil {
					t.Error(err)
				}
				asked.Wait()
				if asked.Response != nil {
					t.Error("an answer from nowhere")
				}
				if _, err := client.Info(background, &types.RequestInfo{}); !errors.Is(err, client.Error()) {
					t.Errorf("Info gave %v", err)
				}
				if err := client.Flush(background); !errors.Is(err, client.Error()) {
					t.Errorf("Flush gave %v", err)
				}
			})
		})
	}
}

func TestStop(t *testing.T) {
	client := start(t, serve(t, &application{}))
	// Never answered.
	asked, err := client.CheckTxAsync(background, &types.RequestCheckTx{Tx: []byte("silence")})
	if err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error)
	go func() {
		_, err := client.Info(background, &types.RequestInfo{})
		waiting <- err
	}()
	time.Sleep(20 * time.Millisecond)
	within(t, "Stop", func() {
		if err := client.Stop(); err != nil {
			t.Error(err)
		}
		asked.Wait()
		if err := <-waiting; !errors.Is(err, ErrStopped) {
			t.Errorf("Info gave %v", err)
		}
		if _, err := client.Commit(background, &types.RequestCommit{}); !errors.Is(err, ErrStopped) {
			t.Errorf("Commit gave %v", err)
		}
		<-client.Quit()
	})
	if err := client.Error(); err != nil {
		t.Errorf("an orderly stop is no failure: %v", err)
	}
	if err := client.Stop(); !errors.Is(err, service.ErrAlreadyStopped) {
		t.Errorf("second Stop gave %v", err)
	}
}

func TestStopUnderLoadLeavesNobodyWaiting(t *testing.T) {
	address := serve(t, &application{})
	for range 50 {
		client := start(t, address)
		within(t, "callers of a client that is being stopped", func() {
			var group sync.WaitGroup
			for range 8 {
				group.Go(func() {
					for client.IsRunning() {
						asked, err := client.CheckTxAsync(background, &types.RequestCheckTx{Tx: []byte("x")})
						if err != nil {
							t.Error(err)
							return
						}
						_, _ = client.Echo(background, "y")
						asked.Wait()
					}
				})
			}
			time.Sleep(time.Millisecond)
			_ = client.Stop()
			group.Wait()
		})
	}
}

func TestAFullQueueEndsWithItsContext(t *testing.T) {
	client := start(t, serve(t, &application{}))
	large := make([]byte, 1<<20)
	if _, err := client.CheckTxAsync(background, &types.RequestCheckTx{Tx: []byte("silence")}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(background, 300*time.Millisecond)
	defer cancel()
	within(t, "a full queue", func() {
		for {
			_, err := client.CheckTxAsync(ctx, &types.RequestCheckTx{Tx: large})
			if errors.Is(err, context.DeadlineExceeded) {
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	if !client.IsRunning() {
		t.Error("a caller that gave up stopped the client")
	}
}

func TestStartWithoutAnApplication(t *testing.T) {
	nobody := "unix://" + filepath.Join(t.TempDir(), "nobody.sock")
	if err := New(nobody, true).Start(); err == nil {
		t.Error("mustConnect: started without an application")
	}

	patient := New(nobody, false)
	result := make(chan error, 1)
	go func() { result <- patient.Start() }()
	select {
	case err := <-result:
		t.Fatalf("did not wait: %v", err)
	case <-time.After(2 * dialPause):
	}
	listener, err := net.Listen("unix", strings.TrimPrefix(nobody, "unix://"))
	if err != nil {
		t.Fatal(err)
	}
	go accept(listener, &application{})
	within(t, "start once the application is there", func() {
		if err := <-result; err != nil {
			t.Error(err)
		}
		if _, err := patient.Echo(background, "x"); err != nil {
			t.Error(err)
		}
		_ = patient.Stop()
	})
	_ = listener.Close()

	given := New("unix://"+filepath.Join(t.TempDir(), "never.sock"), false)
	go func() { result <- given.Start() }()
	time.Sleep(dialPause / 2)
	within(t, "stop while dialling", func() {
		_ = given.Stop()
		if err := <-result; !errors.Is(err, ErrStopped) {
			t.Errorf("Start gave %v", err)
		}
	})
}

func TestFifo(t *testing.T) {
	var queue fifo
	var model []*abcicli.ReqRes
	// Grows, shrinks and wraps around many times.
	for step := range 10_000 {
		if step%7 < 3+step/2000%2 {
			request := abcicli.NewReqRes(types.ToRequestFlush())
			queue.push(request)
			model = append(model, request)
			continue
		}
		var expected *abcicli.ReqRes
		if len(model) > 0 {
			expected, model = model[0], model[1:]
		}
		if queue.front() != expected || queue.pop() != expected {
			t.Fatalf("step %d", step)
		}
	}
	if len(queue.items) > 2*(len(model)+10) {
		t.Errorf("%d slots for %d requests", len(queue.items), len(model))
	}
}

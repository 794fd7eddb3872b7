package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	answerTimeout  = 30 * time.Second
	maxAnswerBytes = 16 << 20
)

type settings struct {
	urls        []string
	connections int
	batch       int
	duration    time.Duration
	pause       time.Duration
	busyCodes   []int
}

// report is what the nodes said.
type report struct {
	// Transactions that CheckTx let in.
	Accepted int `json:"accepted"`
	// Transactions that a node had before: sent again after it forgot to answer.
	Known int `json:"known"`
	// How often a mempool was full, or CheckTx answered with a busy code: the transaction was sent again later.
	Busy int `json:"busy"`
	// Transactions that CheckTx refused, by code. They are not sent again.
	Refused map[int]int `json:"refused"`
	// One of the refusals, to know why.
	Reason string `json:"reason,omitempty"`
	// Transactions that were never sent, because the time was up.
	Left int `json:"left"`
	// Begin and end of sending, nanoseconds since 1970.
	Began int64 `json:"began"`
	Ended int64 `json:"ended"`
}

// source hands out transactions, and takes back those that have to wait.
type source struct {
	transactions [][]byte
	next         atomic.Int64
}

func (s *source) take(count int) [][]byte {
	end := int(s.next.Add(int64(count)))
	begin := min(end-count, len(s.transactions))
	return s.transactions[begin:min(end, len(s.transactions))]
}

func (s *source) left() int {
	return max(0, len(s.transactions)-int(s.next.Load()))
}

// send runs all connections until the transactions or the time are used up. The first failure that is not
// backpressure ends the run.
func send(transactions [][]byte, how settings) (report, error) {
	transport := &http.Transport{MaxIdleConns: how.connections, MaxIdleConnsPerHost: how.connections}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: answerTimeout}
	queue := &source{transactions: transactions}
	began := time.Now()
	deadline := began.Add(how.duration)
	workers := make([]worker, how.connections)
	var failed atomic.Bool
	var group sync.WaitGroup
	for index := range workers {
		worker := &workers[index]
		*worker = newWorker(client, how.urls[index%len(how.urls)], how)
		group.Go(func() {
			worker.run(queue, deadline, &failed)
		})
	}
	group.Wait()
	total := report{Refused: map[int]int{}, Began: began.UnixNano(), Ended: time.Now().UnixNano()}
	var failures []error
	for _, worker := range workers {
		worker.addTo(&total)
		failures = append(failures, worker.failure)
	}
	total.Left += queue.left()
	return total, errors.Join(failures...)
}

// worker is one connection: a request, its answer, the next request.
type worker struct {
	report
	client  *http.Client
	url     string
	how     settings
	failure error
}

func newWorker(client *http.Client, url string, how settings) worker {
	return worker{client: client, url: url, how: how, report: report{Refused: map[int]int{}}}
}

func (w *worker) addTo(total *report) {
	total.Accepted += w.Accepted
	total.Known += w.Known
	total.Busy += w.Busy
	total.Left += w.Left
	if total.Reason == "" {
		total.Reason = w.Reason
	}
	for code, count := range w.Refused {
		total.Refused[code] += count
	}
}

func (w *worker) run(queue *source, deadline time.Time, failed *atomic.Bool) {
	var waiting [][]byte
	for time.Now().Before(deadline) && !failed.Load() {
		batch := append(waiting, queue.take(w.how.batch-len(waiting))...)
		if len(batch) == 0 {
			return
		}
		waiting, w.failure = w.exchange(batch)
		if w.failure != nil {
			failed.Store(true)
			return
		}
		if len(waiting) > 0 {
			time.Sleep(w.how.pause)
		}
	}
	w.Left += len(waiting)
}

type answer struct {
	ID     int `json:"id"`
	Result *struct {
		Code int    `json:"code"`
		Log  string `json:"log"`
	} `json:"result"`
	Error *struct {
		Message string `json:"message"`
		Data    string `json:"data"`
	} `json:"error"`
}

// exchange sends a batch and returns the transactions that have to be sent again.
func (w *worker) exchange(batch [][]byte) ([][]byte, error) {
	response, err := w.client.Post(w.url, "application/json", bytes.NewReader(encode(batch)))
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(content, []byte("{")) {
		// The engine answers a batch of one without the brackets.
		content = slices.Concat([]byte("["), content, []byte("]"))
	}
	var answers []answer
	if err := json.Unmarshal(content, &answers); err != nil {
		return nil, fmt.Errorf("%s answered %s: %.200q", w.url, response.Status, content)
	}
	if len(answers) != len(batch) {
		return nil, fmt.Errorf("%s: %d answers to %d transactions", w.url, len(answers), len(batch))
	}
	var again [][]byte
	for _, answer := range answers {
		if answer.ID < 0 || answer.ID >= len(batch) {
			return nil, fmt.Errorf("%s: an answer to request %d", w.url, answer.ID)
		}
		busy, err := w.note(answer)
		if err != nil {
			return nil, err
		}
		if busy {
			again = append(again, batch[answer.ID])
		}
	}
	return again, nil
}

// note counts an answer; true when its transaction has to be sent again.
func (w *worker) note(answer answer) (bool, error) {
	switch {
	case answer.Result != nil && answer.Result.Code == 0:
		w.Accepted++
	case answer.Result != nil && slices.Contains(w.how.busyCodes, answer.Result.Code):
		w.Busy++
		return true, nil
	case answer.Result != nil:
		w.Refused[answer.Result.Code]++
		w.Reason = answer.Result.Log
	case answer.Error != nil && isFull(answer.Error.Data):
		w.Busy++
		return true, nil
	case answer.Error != nil && strings.Contains(answer.Error.Data, "already exists in cache"):
		w.Known++
	case answer.Error != nil:
		return false, fmt.Errorf("%s: %s: %s", w.url, answer.Error.Message, answer.Error.Data)
	default:
		return false, fmt.Errorf("%s: neither result nor error", w.url)
	}
	return false, nil
}

// isFull tells the engine's two ways to say that its mempool takes nothing now.
func isFull(text string) bool {
	return strings.Contains(text, "mempool is full") || strings.Contains(text, "considered as full")
}

// encode returns a JSON-RPC batch of broadcast_tx_sync calls whose ids are positions in the batch.
func encode(batch [][]byte) []byte {
	size := 2
	for _, transaction := range batch {
		size += base64.StdEncoding.EncodedLen(len(transaction)) + 100
	}
	body := make([]byte, 0, size)
	for index, transaction := range batch {
		separator := byte(',')
		if index == 0 {
			separator = '['
		}
		body = append(body, separator)
		body = fmt.Appendf(body, `{"jsonrpc":"2.0","id":%d,"method":"broadcast_tx_sync","params":{"tx":"`, index)
		body = base64.StdEncoding.AppendEncode(body, transaction)
		body = append(body, `"}}`...)
	}
	return append(body, ']')
}

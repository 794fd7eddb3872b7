package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// node is an RPC endpoint that answers a transaction by its first byte.
type node struct {
	mutex sync.Mutex
	seen  map[string]int
	slow  time.Duration
}

func (n *node) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	time.Sleep(n.slow)
	var calls []struct {
		ID     int    `json:"id"`
		Method string `json:"method"`
		Params struct {
			Tx string `json:"tx"`
		} `json:"params"`
	}
	if err := json.NewDecoder(request.Body).Decode(&calls); err != nil {
		http.Error(writer, err.Error(), http.StatusBadRequest)
		return
	}
	n.mutex.Lock()
	defer n.mutex.Unlock()
	answers := make([]string, 0, len(calls))
	// Backwards: a batch may be answered in any order.
	for index := len(calls) - 1; index >= 0; index-- {
		raw, err := base64.StdEncoding.DecodeString(calls[index].Params.Tx)
		if err != nil || calls[index].Method != "broadcast_tx_sync" {
			http.Error(writer, "bad call", http.StatusBadRequest)
			return
		}
		n.seen[string(raw)]++
		first := n.seen[string(raw)] == 1
		answer := `"result":{"code":0}`
		switch {
		case raw[0] == 'f' && first:
			answer = `"error":{"code":-32603,"message":"Internal error","data":"mempool is full: number of txs 1"}`
		case raw[0] == 'b' && first:
			answer = `"result":{"code":1013,"log":"RATE_LIMITED"}`
		case raw[0] == 'k':
			answer = `"error":{"code":-32603,"message":"Internal error","data":"tx already exists in cache"}`
		case raw[0] == 'r':
			answer = `"result":{"code":1001,"log":"EXPIRED"}`
		case raw[0] == 'x':
			answer = `"error":{"code":-32603,"message":"Internal error","data":"the node is on fire"}`
		}
		answers = append(answers, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,%s}`, calls[index].ID, answer))
	}
	if len(answers) == 1 {
		_, _ = writer.Write([]byte(answers[0]))
		return
	}
	_, _ = fmt.Fprintf(writer, "[%s]", strings.Join(answers, ","))
}

func serve(t *testing.T, slow time.Duration) (*node, string) {
	t.Helper()
	served := &node{seen: map[string]int{}, slow: slow}
	server := httptest.NewServer(served)
	t.Cleanup(server.Close)
	return served, server.URL
}

func made(letter string, count int) [][]byte {
	transactions := make([][]byte, count)
	for index := range transactions {
		transactions[index] = fmt.Appendf(nil, "%s%d", letter, index)
	}
	return transactions
}

func how(urls ...string) settings {
	return settings{
		urls: urls, connections: 4, batch: 10, duration: time.Minute, pause: time.Millisecond, busyCodes: []int{1013},
	}
}

func TestEverythingIsSentAndEveryAnswerCounted(t *testing.T) {
	one, first := serve(t, 0)
	two, second := serve(t, 0)
	transactions := append(made("a", 503), made("k", 7)...)
	transactions = append(transactions, made("r", 11)...)
	transactions = append(transactions, append(made("f", 101), made("b", 31)...)...)
	got, err := send(transactions, how(first, second))
	if err != nil {
		t.Fatal(err)
	}
	if got.Accepted != 503+101+31 || got.Known != 7 || got.Refused[1001] != 11 || got.Busy != 132 || got.Left != 0 {
		t.Errorf("%+v", got)
	}
	if got.Reason != "EXPIRED" || got.Ended <= got.Began {
		t.Errorf("%+v", got)
	}
	// What had to wait was sent again to the same node, everything else once to one of them.
	for _, transaction := range transactions {
		times := one.seen[string(transaction)] + two.seen[string(transaction)]
		expected := 1
		if transaction[0] == 'f' || transaction[0] == 'b' {
			expected = 2
		}
		if times != expected {
			t.Errorf("%s was sent %d times", transaction, times)
		}
	}
	if len(one.seen) < 10 || len(two.seen) < 10 {
		t.Errorf("one node got %d, the other %d", len(one.seen), len(two.seen))
	}
}

func TestTheRunEndsInTime(t *testing.T) {
	_, url := serve(t, 20*time.Millisecond)
	transactions := made("a", 100_000)
	settings := how(url)
	settings.duration = 200 * time.Millisecond
	got, err := send(transactions, settings)
	if err != nil {
		t.Fatal(err)
	}
	if got.Accepted == 0 || got.Accepted+got.Left != len(transactions) {
		t.Errorf("%+v", got)
	}
	if took := time.Duration(got.Ended - got.Began); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestAFailureEndsTheRun(t *testing.T) {
	_, url := serve(t, 0)
	if _, err := send(append(made("x", 1), made("a", 1000)...), how(url)); err == nil ||
		!strings.Contains(err.Error(), "on fire") {
		t.Errorf("%v", err)
	}
	if _, err := send(made("a", 10), how("http://127.0.0.1:1")); err == nil {
		t.Error("nobody listens there")
	}
	broken := httptest.NewServer(http.HandlerFunc(func(writer http.ResponseWriter, _ *http.Request) {
		_, _ = writer.Write([]byte(`[{"id":77,"result":{"code":0}}]`))
	}))
	defer broken.Close()
	if _, err := send(made("a", 1), how(broken.URL)); err == nil {
		t.Error("an answer to a request that was not made")
	}
}

func TestFile(t *testing.T) {
	frame := func(transactions ...string) []byte {
		var content []byte
		for _, transaction := range transactions {
			content = binary.BigEndian.AppendUint32(content, uint32(len(transaction)))
			content = append(content, transaction...)
		}
		return content
	}
	path := filepath.Join(t.TempDir(), "load")
	if err := os.WriteFile(path, frame("one", "three"), 0o600); err != nil {
		t.Fatal(err)
	}
	transactions, err := readFile(path)
	if err != nil || len(transactions) != 2 || string(transactions[1]) != "three" {
		t.Errorf("%q, %v", transactions, err)
	}
	for _, broken := range [][]byte{
		{}, {0, 0, 1}, frame("one")[:6], append(frame("one"), 0, 0, 0, 0), {255, 255, 255, 255, 1},
	} {
		if _, err := split(broken); err == nil {
			t.Errorf("%v was accepted", broken)
		}
	}
}

func TestFlags(t *testing.T) {
	for _, arguments := range [][]string{
		{}, {"-urls", "http://127.0.0.1:1", "-batch", "0"}, {"-urls", "http://127.0.0.1:1", "-duration", "1h"},
		{"-urls", "http://127.0.0.1:1", "-file", "/nowhere"}, {"-urls", "http://127.0.0.1:1", "-busy-codes", "x"},
	} {
		if err := run(arguments); err == nil {
			t.Errorf("%v was accepted", arguments)
		}
	}
}

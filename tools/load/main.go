// Command load sends transactions that were made before to CometBFT nodes, as fast as they take them, and writes what
// the nodes said as one line of JSON. It knows nothing of what it sends and never counts what was committed: that is
// read from blocks.
//
// The file holds, for each transaction, its length (four bytes, big endian) and its bytes. The run ends when all of
// them are sent or when its time is up, whatever comes first.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Bounds of a run, whatever the flags say.
const (
	maxTransactions = 2_000_000
	maxDuration     = 5 * time.Minute
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	file := flags.String("file", "", "transactions to send")
	urls := flags.String("urls", "", "RPC addresses, separated by commas; the load is spread over them")
	settings := settings{}
	flags.IntVar(&settings.connections, "connections", 64, "requests under way at a time, over all addresses")
	flags.IntVar(&settings.batch, "batch", 10, "transactions a request")
	flags.DurationVar(&settings.duration, "duration", 10*time.Second, "longest time to send")
	flags.DurationVar(&settings.pause, "pause", 50*time.Millisecond, "how long to wait when a mempool is full")
	codes := flags.String("busy-codes", "", "CheckTx codes, separated by commas, that mean: not now, send again")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	settings.urls = strings.Split(*urls, ",")
	for _, code := range strings.FieldsFunc(*codes, func(r rune) bool { return r == ',' }) {
		number, err := strconv.Atoi(code)
		if err != nil {
			return fmt.Errorf("-busy-codes: %w", err)
		}
		settings.busyCodes = append(settings.busyCodes, number)
	}
	if *urls == "" || settings.connections < 1 || settings.batch < 1 || settings.pause <= 0 ||
		settings.duration <= 0 || settings.duration > maxDuration {
		return fmt.Errorf("needs -urls, and positive numbers; at most %v", maxDuration)
	}
	transactions, err := readFile(*file)
	if err != nil {
		return err
	}
	report, err := send(transactions, settings)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(report)
}

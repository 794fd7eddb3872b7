// Command grammar checks the order of ABCI calls with the official checker of CometBFT's end-to-end tests.
//
// It reads words of letters from standard input, a line a life of an engine: "clean IPRFC" or "recovery FCPRFC"
// (see abci_app/grammar.py), and writes "good" or "bad: why" for each.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/test/e2e/pkg/grammar"
)

func request(letter rune) *abci.Request {
	switch letter {
	case 'I':
		return abci.ToInitChainRequest(&abci.InitChainRequest{})
	case 'O':
		return abci.ToOfferSnapshotRequest(&abci.OfferSnapshotRequest{})
	case 'A':
		return abci.ToApplySnapshotChunkRequest(&abci.ApplySnapshotChunkRequest{})
	case 'P':
		return abci.ToPrepareProposalRequest(&abci.PrepareProposalRequest{})
	case 'R':
		return abci.ToProcessProposalRequest(&abci.ProcessProposalRequest{})
	case 'E':
		return abci.ToExtendVoteRequest(&abci.ExtendVoteRequest{})
	case 'V':
		return abci.ToVerifyVoteExtensionRequest(&abci.VerifyVoteExtensionRequest{})
	case 'F':
		return abci.ToFinalizeBlockRequest(&abci.FinalizeBlockRequest{})
	case 'C':
		return abci.ToCommitRequest()
	}
	panic("unknown letter " + string(letter))
}

func main() {
	checker := grammar.NewGrammarChecker(grammar.DefaultConfig())
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<26)
	for lines.Scan() {
		start, word, _ := strings.Cut(lines.Text(), " ")
		var requests []*abci.Request
		for _, letter := range word {
			requests = append(requests, request(letter))
		}
		good, err := checker.Verify(requests, start == "clean")
		if good {
			fmt.Println("good")
		} else {
			fmt.Println("bad:", strings.ReplaceAll(fmt.Sprint(err), "\n", " | "))
		}
	}
}

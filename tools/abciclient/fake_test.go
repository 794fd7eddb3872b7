package abciclient

import (
	"bufio"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cometbft/cometbft/abci/types"
)

// application is a small ABCI server. CheckTx answers with the transaction; some transactions make it misbehave.
type application struct {
	// holding keeps answers back until a Flush, as CometBFT's own Go server does.
	holding bool
	// greeting sends an answer before there is a request.
	greeting bool
	// flushes counts Flush requests.
	flushes atomic.Int64
}

// serve listens until the test ends and returns the address.
func serve(t *testing.T, app *application) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go accept(listener, app)
	return "unix://" + path
}

func accept(listener net.Listener, app *application) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		go app.exchange(connection)
	}
}

func (app *application) exchange(connection net.Conn) {
	defer func() { _ = connection.Close() }()
	reader, writer := bufio.NewReader(connection), bufio.NewWriterSize(connection, 1<<22)
	if app.greeting {
		_ = types.WriteMessage(types.ToResponseFlush(), connection)
	}
	for {
		request := &types.Request{}
		if types.ReadMessage(reader, request) != nil {
			return
		}
		if !app.answer(connection, writer, request) {
			return
		}
		_, isFlush := request.Value.(*types.Request_Flush)
		if isFlush {
			app.flushes.Add(1)
		}
		if (isFlush || !app.holding) && writer.Flush() != nil {
			return
		}
	}
}

// answer writes what the request deserves; false ends the connection.
func (app *application) answer(connection net.Conn, writer *bufio.Writer, request *types.Request) bool {
	answers := []*types.Response{reply(request)}
	if check := request.GetCheckTx(); check != nil {
		switch string(check.Tx) {
		case "wait":
			time.Sleep(100 * time.Millisecond)
		case "silence":
			time.Sleep(2 * patience)
			return false
		case "exception":
			answers = []*types.Response{types.ToResponseException("the database is gone")}
		case "hang up":
			return false
		case "cut":
			_, _ = connection.Write([]byte{200, 1, 2, 3})
			return false
		case "garbage":
			_, _ = connection.Write([]byte{3, 255, 255, 255})
			return false
		case "other":
			answers = []*types.Response{types.ToResponseEcho("other")}
		case "twice":
			// The second one is taken for the answer to whatever comes next.
			answers = append(answers, answers[0])
		}
	}
	for _, answer := range answers {
		if types.WriteMessage(answer, writer) != nil {
			return false
		}
	}
	return true
}

func reply(request *types.Request) *types.Response {
	switch asked := request.Value.(type) {
	case *types.Request_Echo:
		return types.ToResponseEcho(asked.Echo.Message)
	case *types.Request_Flush:
		return types.ToResponseFlush()
	case *types.Request_Info:
		return types.ToResponseInfo(&types.ResponseInfo{})
	case *types.Request_InitChain:
		return types.ToResponseInitChain(&types.ResponseInitChain{})
	case *types.Request_Query:
		return types.ToResponseQuery(&types.ResponseQuery{})
	case *types.Request_CheckTx:
		return types.ToResponseCheckTx(&types.ResponseCheckTx{Data: asked.CheckTx.Tx})
	case *types.Request_InsertTx:
		return types.ToResponseInsertTx(&types.ResponseInsertTx{})
	case *types.Request_ReapTxs:
		return types.ToResponseReapTxs(&types.ResponseReapTxs{})
	case *types.Request_PrepareProposal:
		return types.ToResponsePrepareProposal(&types.ResponsePrepareProposal{})
	case *types.Request_ProcessProposal:
		return types.ToResponseProcessProposal(&types.ResponseProcessProposal{})
	case *types.Request_ExtendVote:
		return types.ToResponseExtendVote(&types.ResponseExtendVote{})
	case *types.Request_VerifyVoteExtension:
		return types.ToResponseVerifyVoteExtension(&types.ResponseVerifyVoteExtension{})
	case *types.Request_FinalizeBlock:
		return types.ToResponseFinalizeBlock(&types.ResponseFinalizeBlock{})
	case *types.Request_Commit:
		return types.ToResponseCommit(&types.ResponseCommit{})
	case *types.Request_ListSnapshots:
		return types.ToResponseListSnapshots(&types.ResponseListSnapshots{})
	case *types.Request_OfferSnapshot:
		return types.ToResponseOfferSnapshot(&types.ResponseOfferSnapshot{})
	case *types.Request_LoadSnapshotChunk:
		return types.ToResponseLoadSnapshotChunk(&types.ResponseLoadSnapshotChunk{})
	case *types.Request_ApplySnapshotChunk:
		return types.ToResponseApplySnapshotChunk(&types.ResponseApplySnapshotChunk{})
	}
	return types.ToResponseException("no such request")
}

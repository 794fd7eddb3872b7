package abciclient

import (
	"context"

	abcicli "github.com/cometbft/cometbft/abci/client"
	"github.com/cometbft/cometbft/abci/types"
)

// CheckTxAsync asks for a verdict and does not wait for it. On a stopped client the result is done and has no answer:
// the mempool takes an error for a reason to panic, and asks Error() anyway.
func (c *Client) CheckTxAsync(ctx context.Context, request *types.RequestCheckTx) (*abcicli.ReqRes, error) {
	asked := abcicli.NewReqRes(types.ToRequestCheckTx(request))
	if err := c.enqueue(ctx, call{request: asked}); err != nil {
		return nil, err
	}
	return asked, nil
}

// Flush returns when everything that was asked before has been answered and its callbacks have run.
func (c *Client) Flush(ctx context.Context) error {
	asked := abcicli.NewReqRes(types.ToRequestFlush())
	if err := c.enqueue(ctx, call{request: asked}); err != nil {
		return err
	}
	asked.Wait()
	return c.Error()
}

// ask sends a request with a Flush behind it, waits for both answers and picks the content of the first. ctx bounds
// the time until the request is queued; the application's time is its own.
func ask[T any](
	ctx context.Context, c *Client, request *types.Request, content func(*types.Response) *T,
) (*T, error) {
	asked, flush := abcicli.NewReqRes(request), abcicli.NewReqRes(types.ToRequestFlush())
	if err := c.enqueue(ctx, call{request: asked, flush: flush}); err != nil {
		return nil, err
	}
	asked.Wait()
	flush.Wait()
	if asked.Response == nil {
		if err := c.Error(); err != nil {
			return nil, err
		}
		return nil, ErrStopped
	}
	return content(asked.Response), c.Error()
}

// Echo sends a text and gets it back.
func (c *Client) Echo(ctx context.Context, text string) (*types.ResponseEcho, error) {
	return ask(ctx, c, types.ToRequestEcho(text), (*types.Response).GetEcho)
}

// Info asks where the application stands.
func (c *Client) Info(ctx context.Context, request *types.RequestInfo) (*types.ResponseInfo, error) {
	return ask(ctx, c, types.ToRequestInfo(request), (*types.Response).GetInfo)
}

// Query reads committed state.
func (c *Client) Query(ctx context.Context, request *types.RequestQuery) (*types.ResponseQuery, error) {
	return ask(ctx, c, types.ToRequestQuery(request), (*types.Response).GetQuery)
}

// CheckTx asks for a verdict and waits for it.
func (c *Client) CheckTx(ctx context.Context, request *types.RequestCheckTx) (*types.ResponseCheckTx, error) {
	return ask(ctx, c, types.ToRequestCheckTx(request), (*types.Response).GetCheckTx)
}

// InsertTx hands a transaction to an application that keeps its own mempool.
func (c *Client) InsertTx(ctx context.Context, request *types.RequestInsertTx) (*types.ResponseInsertTx, error) {
	return ask(ctx, c, types.ToRequestInsertTx(request), (*types.Response).GetInsertTx)
}

// ReapTxs takes transactions from an application that keeps its own mempool.
func (c *Client) ReapTxs(ctx context.Context, request *types.RequestReapTxs) (*types.ResponseReapTxs, error) {
	return ask(ctx, c, types.ToRequestReapTxs(request), (*types.Response).GetReapTxs)
}

// InitChain hands over the genesis.
func (c *Client) InitChain(ctx context.Context, request *types.RequestInitChain) (*types.ResponseInitChain, error) {
	return ask(ctx, c, types.ToRequestInitChain(request), (*types.Response).GetInitChain)
}

// PrepareProposal lets the application choose what goes into a block.
func (c *Client) PrepareProposal(
	ctx context.Context, request *types.RequestPrepareProposal,
) (*types.ResponsePrepareProposal, error) {
	return ask(ctx, c, types.ToRequestPrepareProposal(request), (*types.Response).GetPrepareProposal)
}

// ProcessProposal asks whether a proposed block is acceptable.
func (c *Client) ProcessProposal(
	ctx context.Context, request *types.RequestProcessProposal,
) (*types.ResponseProcessProposal, error) {
	return ask(ctx, c, types.ToRequestProcessProposal(request), (*types.Response).GetProcessProposal)
}

// ExtendVote asks what to add to this node's precommit.
func (c *Client) ExtendVote(ctx context.Context, request *types.RequestExtendVote) (*types.ResponseExtendVote, error) {
	return ask(ctx, c, types.ToRequestExtendVote(request), (*types.Response).GetExtendVote)
}

// VerifyVoteExtension asks whether another node's addition is acceptable.
func (c *Client) VerifyVoteExtension(
	ctx context.Context, request *types.RequestVerifyVoteExtension,
) (*types.ResponseVerifyVoteExtension, error) {
	return ask(ctx, c, types.ToRequestVerifyVoteExtension(request), (*types.Response).GetVerifyVoteExtension)
}

// FinalizeBlock lets the application execute a decided block.
func (c *Client) FinalizeBlock(
	ctx context.Context, request *types.RequestFinalizeBlock,
) (*types.ResponseFinalizeBlock, error) {
	return ask(ctx, c, types.ToRequestFinalizeBlock(request), (*types.Response).GetFinalizeBlock)
}

// Commit lets the application store what it executed.
func (c *Client) Commit(ctx context.Context, _ *types.RequestCommit) (*types.ResponseCommit, error) {
	return ask(ctx, c, types.ToRequestCommit(), (*types.Response).GetCommit)
}

// ListSnapshots asks which snapshots the application has.
func (c *Client) ListSnapshots(
	ctx context.Context, request *types.RequestListSnapshots,
) (*types.ResponseListSnapshots, error) {
	return ask(ctx, c, types.ToRequestListSnapshots(request), (*types.Response).GetListSnapshots)
}

// OfferSnapshot asks whether the application would restore a snapshot.
func (c *Client) OfferSnapshot(
	ctx context.Context, request *types.RequestOfferSnapshot,
) (*types.ResponseOfferSnapshot, error) {
	return ask(ctx, c, types.ToRequestOfferSnapshot(request), (*types.Response).GetOfferSnapshot)
}

// LoadSnapshotChunk reads a piece of a snapshot.
func (c *Client) LoadSnapshotChunk(
	ctx context.Context, request *types.RequestLoadSnapshotChunk,
) (*types.ResponseLoadSnapshotChunk, error) {
	return ask(ctx, c, types.ToRequestLoadSnapshotChunk(request), (*types.Response).GetLoadSnapshotChunk)
}

// ApplySnapshotChunk hands over a piece of a snapshot to restore.
func (c *Client) ApplySnapshotChunk(
	ctx context.Context, request *types.RequestApplySnapshotChunk,
) (*types.ResponseApplySnapshotChunk, error) {
	return ask(ctx, c, types.ToRequestApplySnapshotChunk(request), (*types.Response).GetApplySnapshotChunk)
}

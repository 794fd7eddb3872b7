package main

import (
	"fmt"
	"strings"

	abcicli "github.com/cometbft/cometbft/abci/client"
	"github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
	"github.com/cometbft/cometbft/proxy"

	"tkms/tools/abciclient"
)

// socketClients makes one connection for each of the engine's four uses of the application.
type socketClients string

var _ proxy.ClientCreator = socketClients("")

// NewABCIClient returns a client that waits for the application to listen.
func (address socketClients) NewABCIClient() (abcicli.Client, error) {
	return abciclient.New(string(address), false), nil
}

// clientCreator returns ours for socket addresses; built-in applications and gRPC stay CometBFT's.
func clientCreator(settings *config.Config) proxy.ClientCreator {
	address := settings.ProxyApp
	isSocket := strings.HasPrefix(address, "unix://") || strings.HasPrefix(address, "tcp://")
	if settings.ABCI == "socket" && isSocket {
		return socketClients(address)
	}
	return proxy.DefaultClientCreator(address, settings.ABCI, settings.DBDir())
}

// newNode builds the node that `start` runs, from the same parts as CometBFT's default one.
func newNode(settings *config.Config, logger log.Logger) (*node.Node, error) {
	key, err := p2p.LoadOrGenNodeKey(settings.NodeKeyFile())
	if err != nil {
		return nil, fmt.Errorf("node key %s: %w", settings.NodeKeyFile(), err)
	}
	return node.NewNode(
		settings,
		privval.LoadOrGenFilePV(settings.PrivValidatorKeyFile(), settings.PrivValidatorStateFile()),
		key,
		clientCreator(settings),
		node.DefaultGenesisDocProviderFunc(settings),
		config.DefaultDBProvider,
		node.DefaultMetricsProvider(settings.Instrumentation),
		logger,
	)
}

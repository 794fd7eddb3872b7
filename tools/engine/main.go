// Command tkms-engine is CometBFT v0.40.0 as released, with another ABCI socket client.
//
// It takes the commands, flags, files and environment of `cometbft`, so either binary can run the other's home.
package main

import (
	"os"
	"path/filepath"

	"github.com/cometbft/cometbft/cmd/cometbft/commands"
	"github.com/cometbft/cometbft/cmd/cometbft/commands/debug"
	"github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/libs/cli"
)

func main() {
	root := commands.RootCmd
	root.Use = "tkms-engine"
	root.Short = "CometBFT, the consensus engine, for a tkms node"
	root.AddCommand(
		commands.CompactGoLevelDBCmd,
		commands.GenNodeKeyCmd,
		commands.GenValidatorCmd,
		commands.InitFilesCmd,
		commands.InspectCmd,
		commands.LightCmd,
		commands.ReIndexEventCmd,
		commands.ReplayCmd,
		commands.ReplayConsoleCmd,
		commands.ResetAllCmd,
		commands.ResetPrivValidatorCmd,
		commands.ResetStateCmd,
		commands.RollbackStateCmd,
		commands.ShowNodeIDCmd,
		commands.ShowValidatorCmd,
		commands.TestnetFilesCmd,
		debug.DebugCmd,
		cli.NewCompletionCmd(root, true),
		commands.NewRunNodeCmd(newNode),
		versionCommand(),
	)
	// The executor prints the error itself and ends with status 1.
	home := filepath.Join(os.Getenv("HOME"), config.DefaultCometDir)
	if err := cli.PrepareBaseCmd(root, "CMT", home).Execute(); err != nil {
		os.Exit(1)
	}
}

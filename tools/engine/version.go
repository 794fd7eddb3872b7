package main

import (
	"encoding/json"
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/cometbft/cometbft/version"
)

const cometModule = "github.com/cometbft/cometbft"

// builtWith returns the module version that was linked. The constant in the source of v0.40.0 says 0.39.0.
func builtWith() string {
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, module := range build.Deps {
			if module.Path == cometModule {
				return module.Version
			}
		}
	}
	return "unknown"
}

func versionCommand() *cobra.Command {
	verbose := false
	command := &cobra.Command{
		Use:   "version",
		Short: "Show version info",
		RunE: func(command *cobra.Command, _ []string) error {
			if !verbose {
				_, err := fmt.Fprintf(
					command.OutOrStdout(), "tkms-engine CometBFT %s (reports %s)\n", builtWith(), version.TMCoreSemVer,
				)
				return err
			}
			encoder := json.NewEncoder(command.OutOrStdout())
			encoder.SetIndent("", "  ")
			return encoder.Encode(struct {
				Name          string `json:"name"`
				Module        string `json:"module"`
				CometBFT      string `json:"cometbft"`
				ABCI          string `json:"abci"`
				BlockProtocol uint64 `json:"block_protocol"`
				P2PProtocol   uint64 `json:"p2p_protocol"`
			}{
				"tkms-engine", builtWith(), version.TMCoreSemVer, version.ABCISemVer,
				version.BlockProtocol, version.P2PProtocol,
			})
		},
	}
	command.Flags().BoolVarP(&verbose, "verbose", "v", false, "show protocol and library versions")
	return command
}

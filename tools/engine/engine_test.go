package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/cometbft/cometbft/config"

	"tkms/tools/abciclient"
)

func TestOurClientServesSocketAddressesOnly(t *testing.T) {
	for _, example := range []struct {
		address, transport string
		ours               bool
	}{
		{"unix:///run/app.sock", "socket", true},
		{"tcp://127.0.0.1:26658", "socket", true},
		{"tcp://127.0.0.1:26658", "grpc", false},
		{"kvstore", "socket", false},
		{"persistent_kvstore", "socket", false},
		{"noop", "socket", false},
	} {
		settings := config.DefaultConfig().SetRoot(t.TempDir())
		settings.ProxyApp, settings.ABCI = example.address, example.transport
		client, err := clientCreator(settings).NewABCIClient()
		if err != nil {
			t.Fatal(err)
		}
		if _, ours := client.(*abciclient.Client); ours != example.ours {
			t.Errorf("%s over %s: %T", example.address, example.transport, client)
		}
	}
}

func TestVersionNamesUsAndTheEngine(t *testing.T) {
	for _, flags := range [][]string{{}, {"--verbose"}} {
		command, out := versionCommand(), &bytes.Buffer{}
		command.SetOut(out)
		command.SetArgs(flags)
		if err := command.Execute(); err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"tkms-engine", "v0.40.0", "0.39.0"} {
			if !strings.Contains(out.String(), word) {
				t.Errorf("%v: no %s in %q", flags, word, out)
			}
		}
		if len(flags) > 0 && !json.Valid(out.Bytes()) {
			t.Errorf("not JSON: %q", out)
		}
	}
}

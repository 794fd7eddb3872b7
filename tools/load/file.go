package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
)

// readFile returns the transactions of a file.
func readFile(path string) ([][]byte, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	transactions, err := split(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return transactions, nil
}

func split(content []byte) ([][]byte, error) {
	var transactions [][]byte
	for len(content) > 0 {
		if len(content) < 4 {
			return nil, errors.New("ends within a length")
		}
		length := binary.BigEndian.Uint32(content)
		content = content[4:]
		if length == 0 || uint64(length) > uint64(len(content)) {
			return nil, fmt.Errorf("transaction %d has an impossible length of %d", len(transactions), length)
		}
		if len(transactions) == maxTransactions {
			return nil, fmt.Errorf("more than %d transactions", maxTransactions)
		}
		transactions = append(transactions, content[:length:length])
		content = content[length:]
	}
	if len(transactions) == 0 {
		return nil, errors.New("no transactions")
	}
	return transactions, nil
}

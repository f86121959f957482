// SPDX-License-Identifier: Apache-2.0

// Command differential asks go-sev-guest and go-tdx-guest for their verdicts: one JSON object a line
// in, one a line out. Nothing is fetched: certificates, CRLs and collateral come with the question.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

const questionMaxBytes = 1 << 20

// Question is one item; []byte members are base64 in JSON.
type Question struct {
	ID   int    `json:"id"`
	Kind string `json:"kind"`
	Now  int64  `json:"now"`

	Report []byte     `json:"report"`
	Vek    []byte     `json:"vek"`
	Vlek   bool       `json:"vlek"`
	Crl    []byte     `json:"crl"`
	Roots  []AmdRoots `json:"roots"`

	Quote      []byte     `json:"quote"`
	Collateral Collateral `json:"collateral"`
	Root       []byte     `json:"root"`
}

// Answer is what the library made of it.
type Answer struct {
	ID       int    `json:"id"`
	Accepted bool   `json:"accepted"`
	Status   string `json:"status"`
	Error    string `json:"error"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, questionMaxBytes)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var question Question
		if err := json.Unmarshal(lines.Bytes(), &question); err != nil {
			fail(err)
		}
		if err := out.Encode(answer(&question)); err != nil {
			fail(err)
		}
	}
	if err := lines.Err(); err != nil {
		fail(err)
	}
}

// answer never lets a panic of a library out: for its caller that is a refusal with a noise.
func answer(question *Question) (given Answer) {
	given.ID = question.ID
	defer func() {
		if cause := recover(); cause != nil {
			given = Answer{ID: question.ID, Error: fmt.Sprintf("panic: %v", cause)}
		}
	}()
	var err error
	switch question.Kind {
	case "snp":
		err = verifySnp(question)
	case "tdx":
		given.Status, err = verifyTdx(question)
	default:
		err = fmt.Errorf("unknown kind %q", question.Kind)
	}
	given.Accepted = err == nil
	if err != nil {
		given.Error = err.Error()
	}
	return given
}

func (question *Question) time() time.Time { return time.Unix(question.Now, 0).UTC() }

func fail(err error) {
	fmt.Fprintln(os.Stderr, "differential:", err)
	os.Exit(1)
}

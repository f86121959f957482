// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"

	"github.com/google/go-tdx-guest/abi"
	"github.com/google/go-tdx-guest/pcs"
	tpb "github.com/google/go-tdx-guest/proto/tdx"
	"github.com/google/go-tdx-guest/validate"
	"github.com/google/go-tdx-guest/verify"
)

// Collateral has the members of QuoteCollateralV3; lists and signatures are hexadecimal.
type Collateral struct {
	PckCrlIssuerChain     string `json:"pck_crl_issuer_chain"`
	RootCaCrl             string `json:"root_ca_crl"`
	PckCrl                string `json:"pck_crl"`
	TcbInfoIssuerChain    string `json:"tcb_info_issuer_chain"`
	TcbInfo               string `json:"tcb_info"`
	TcbInfoSignature      string `json:"tcb_info_signature"`
	QeIdentityIssuerChain string `json:"qe_identity_issuer_chain"`
	QeIdentity            string `json:"qe_identity"`
	QeIdentitySignature   string `json:"qe_identity_signature"`
}

// verifyTdx is verify with collateral and revocation, then, for version 4, which is all that it
// takes, validate. The status is what the library read, also where it then refused.
func verifyTdx(question *Question) (status string, err error) {
	quote, err := abi.QuoteToProto(question.Quote)
	if err != nil {
		return "", err
	}
	now := question.time()
	options := &verify.Options{
		CheckRevocations: true,
		GetCollateral:    true,
		Getter:           &question.Collateral,
		Now: &verify.TimeSet{
			PckCertChain: now, PckCrl: now, RootCaCrl: now, TcbInfo: now, QeIdentity: now,
		},
	}
	if len(question.Root) > 0 {
		root, err := x509.ParseCertificate(question.Root)
		if err != nil {
			return "", err
		}
		options.TrustedRoots = x509.NewCertPool()
		options.TrustedRoots.AddCert(root)
	}
	err = verify.TdxQuote(quote, options)
	if level, _, problem := verify.SupportedTcbLevelsFromCollateral(quote, options); problem == nil {
		status = string(level.TcbStatus)
	}
	if err != nil {
		return status, fmt.Errorf("verify: %w", err)
	}
	if _, ok := quote.(*tpb.QuoteV4); ok {
		wanted := &validate.Options{
			TdQuoteBodyOptions: validate.TdQuoteBodyOptions{EnableTdDebugCheck: true},
		}
		if err := validate.TdxQuote(quote, wanted); err != nil {
			return status, fmt.Errorf("validate: %w", err)
		}
	}
	return status, nil
}

// Get answers as Intel's service would, from the collateral, whatever FMSPC or CA is asked for.
func (c *Collateral) Get(address string) (map[string][]string, []byte, error) {
	switch {
	case strings.Contains(address, "/tcb?"):
		return headers(pcs.TcbInfoIssuerChainPhrase, c.TcbInfoIssuerChain),
			document("tcbInfo", c.TcbInfo, c.TcbInfoSignature), nil
	case strings.HasSuffix(address, "/qe/identity"):
		return headers(pcs.SgxQeIdentityIssuerChainPhrase, c.QeIdentityIssuerChain),
			document("enclaveIdentity", c.QeIdentity, c.QeIdentitySignature), nil
	case strings.Contains(address, "/pckcrl?"):
		list, err := hex.DecodeString(c.PckCrl)
		return headers(pcs.SgxPckCrlIssuerChainPhrase, c.PckCrlIssuerChain), list, err
	default:
		list, err := hex.DecodeString(c.RootCaCrl)
		return nil, list, err
	}
}

func headers(name, chain string) map[string][]string {
	return map[string][]string{name: {url.QueryEscape(chain)}}
}

func document(name, text, signature string) []byte {
	return []byte(fmt.Sprintf(`{"%s":%s,"signature":"%s"}`, name, text, signature))
}

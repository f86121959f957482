// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/x509"
	"fmt"

	"github.com/google/go-sev-guest/abi"
	spb "github.com/google/go-sev-guest/proto/sevsnp"
	"github.com/google/go-sev-guest/validate"
	"github.com/google/go-sev-guest/verify"
	"github.com/google/go-sev-guest/verify/trust"
)

// AmdRoots are authorities to believe in place of the library's own. The library demands the common
// names that the line implies, so a mock line's mark is part of Name: "Milan MOCK".
type AmdRoots struct {
	Line string `json:"line"`
	Name string `json:"name"`
	Ark  []byte `json:"ark"`
	Ask  []byte `json:"ask"`
	Asvk []byte `json:"asvk"`
}

// verifySnp is verify and then validate, with the options that leave the caller's wishes open.
func verifySnp(question *Question) error {
	report, err := abi.ReportToProto(question.Report)
	if err != nil {
		return err
	}
	chain := &spb.CertificateChain{}
	if question.Vlek {
		chain.VlekCert = question.Vek
	} else {
		chain.VcekCert = question.Vek
	}
	roots, err := trustedRoots(question.Roots)
	if err != nil {
		return err
	}
	attestation := &spb.Attestation{Report: report, CertificateChain: chain}
	if err := verify.SnpAttestation(attestation, &verify.Options{
		CheckRevocations:    len(question.Crl) > 0,
		DisableCertFetching: true,
		Getter:              only(question.Crl),
		Now:                 question.time(),
		TrustedRoots:        roots,
	}); err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	if err := validate.SnpAttestation(attestation, &validate.Options{
		GuestPolicy:               abi.SnpPolicy{SMT: true, CXLAllowed: true},
		PermitProvisionalFirmware: true,
	}); err != nil {
		return fmt.Errorf("validate: %w", err)
	}
	return nil
}

func trustedRoots(given []AmdRoots) (map[string][]*trust.AMDRootCerts, error) {
	var roots map[string][]*trust.AMDRootCerts
	for _, root := range given {
		parsed := make([]*x509.Certificate, 3)
		for at, der := range [][]byte{root.Ark, root.Ask, root.Asvk} {
			certificate, err := x509.ParseCertificate(der)
			if err != nil {
				return nil, err
			}
			parsed[at] = certificate
		}
		if roots == nil {
			roots = map[string][]*trust.AMDRootCerts{}
		}
		certs := &trust.ProductCerts{Ark: parsed[0], Ask: parsed[1], Asvk: parsed[2]}
		roots[root.Line] = []*trust.AMDRootCerts{{ProductLine: root.Name, ProductCerts: certs}}
	}
	return roots, nil
}

// only is a getter that knows one answer, whatever it is asked.
type only []byte

func (given only) Get(string) ([]byte, error) { return given, nil }

# SPDX-License-Identifier: Apache-2.0
"""The tables behind both services: resources, media types, problems, limits."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestapi import REFUSALS, Reason
from services.ingress.guest import PROBLEM_OF
from services.limits import HEAD_S, REUSE_S, Limits
from services.problems import BAD_GATEWAY, BUSY, PROBLEMS, Refused, of_gateway
from services.relay.nginx import Installation, render
from services.relay.relay import parse_origin
from services.resources import Kind, media, resource


def test_the_three_resources_are_known() -> None:
    assert resource("POST", "/t/0123456789abcdef").target == "0123456789abcdef"
    assert resource("GET", "/.well-known/sealroom-evidence").kind is Kind.EVIDENCE
    assert resource("GET", "/.well-known/ohttp-gateway").kind is Kind.KEYS


@given(st.text(), st.one_of(st.text(), st.from_regex(r"/t/[0-9a-f]{16}.?"), st.just("/t/")))
def test_any_request_line_is_a_resource_or_refused(method: str, path: str) -> None:
    try:
        found = resource(method, path)
    except Refused as refused:
        assert refused.problem in PROBLEMS
    else:
        assert re.fullmatch(r"/t/[0-9a-f]{16}|/\.well-known/[a-z-]+", found.path, re.ASCII)


@given(st.lists(st.one_of(st.text(), st.just("message/ohttp-req")), max_size=3))
def test_any_content_type_is_one_of_two_or_refused(fields: list[str]) -> None:
    try:
        found = media(fields)
    except Refused as refused:
        assert refused.problem.word == "media"
    else:
        assert fields == [found.request]


@pytest.mark.parametrize("reason", Reason)
def test_the_ingress_answers_every_reason_as_the_table_of_guestapi_says(reason: Reason) -> None:
    assert (PROBLEM_OF[reason].word, PROBLEM_OF[reason].status) == (
        reason.value,
        REFUSALS[reason].http,
    )


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.word)
def test_a_problem_is_what_its_body_says(problem: object) -> None:
    (row,) = [known for known in PROBLEMS if known is problem]
    assert json.loads(row.body) == {"status": row.status, "title": row.word, "type": row.type}


@given(st.integers(100, 999), st.booleans())
def test_any_status_of_a_gateway_is_a_problem_of_ours(status: int, retry_after: bool) -> None:
    problem = of_gateway(status, retry_after=retry_after)
    assert problem.status == status or problem is BAD_GATEWAY
    assert (problem is BUSY) == (status == 503 and retry_after)


@pytest.mark.parametrize(
    "text",
    [
        *("", "gateway.example", "ftp://gateway.example", "http://", "http://gateway.example/"),
        *("http://gateway.example/t", "http://user@gateway.example", "HTTP://gateway.example"),
        *("http://gateway.example?a", "https://gateway.example:443", "http://Gateway.example"),
    ],
)
def test_a_gateway_has_one_spelling(text: str) -> None:
    with pytest.raises(ValueError, match="gateway"):
        parse_origin(text)


def rendered(gateway: str, state: str = "/run/relay") -> str:
    installation = Installation(listen=("::1", 8080), gateway=gateway, state=state, limits=Limits())
    return render(installation)


def test_nginx_gets_every_problem_and_no_name_is_left_open() -> None:
    text = rendered("http://gateway.example")
    assert re.findall(r"@[A-Z_]+@", text) == []
    for problem in PROBLEMS:
        assert f"return {problem.status} '{problem.body.decode()}';" in text
    assert "listen [::1]:8080;" in text
    assert "proxy_ssl" not in text


def test_a_connection_is_given_up_before_the_next_hop_closes_it() -> None:
    assert REUSE_S <= HEAD_S / 2


def test_nginx_checks_the_certificate_of_an_https_gateway() -> None:
    text = rendered("https://gateway.example")
    assert "server gateway.example:443 max_fails=0;" in text
    for line in ("proxy_ssl_verify on;", "proxy_ssl_name gateway.example;"):
        assert line in text
    assert "proxy_pass https://gateway;" in text


def test_a_path_that_would_end_a_directive_is_refused() -> None:
    with pytest.raises(ValueError, match="plain path"):
        rendered("http://gateway.example", state="/run;user root")

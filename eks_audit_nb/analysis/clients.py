"""Which program a user agent names. Anyone can write anything there: it is a claim, never a proof.

Forms: RFC 9110 section 10.1.5 (products and comments); client-go's rest.DefaultKubernetesUserAgent.
"""

from __future__ import annotations

import re

import pandas as pd

from eks_audit_nb.analysis.distinct import worked_once

UNKNOWN = "unknown"
CLIENT_COLUMNS = {"client": "string", "client_version": "string", "client_is_cut": "boolean"}
# What the API server puts behind a user agent that it cuts. Source: apiserver pkg/audit, maybeTruncateUserAgent.
_CUT = "...TRUNCATED"
# A product is a token of at most 64 signs, and its version another behind a slash or, where someone forgot it, a space.
_TOKEN = r"[\w!#$%&'*+.^`|~-]{1,64}"  # noqa: S105
_PRODUCT = re.compile(rf"({_TOKEN})(?:/({_TOKEN})| (v?\d[\w.+-]{{0,63}}))?(?=[\s/(;,]|$)", re.ASCII)
_TERRAFORM = re.compile(r"\bTerraform/(\d[\w.+-]{0,63})", re.ASCII)
# Generated clients put the language last: OpenAPI-Generator/34.1.0/python.
_GENERATED = re.compile(r"(?:OpenAPI-Generator|Swagger-Codegen)/([\w.+-]{1,64})/(\w{1,20})", re.ASCII)
_FAMILIES = {
    "mozilla": "browser",
    "opera": "browser",
    "python-requests": "python client",
    "python-urllib": "python client",
    "python-urllib3": "python client",
    "python-httpx": "python client",
    "kubernetes_asyncio": "python client",
    "elbv2.k8s.aws": "aws-load-balancer-controller",
}


def clients(user_agents: pd.Series) -> pd.DataFrame:
    """The program, its version, and whether the user agent was cut; the columns of `CLIENT_COLUMNS`.

    The rule: the first product's name in lower case, which for programs made with client-go is that of the binary, or
    the family it belongs to: browser, python client, terraform, argocd (all its parts). The version is without the v in
    front. What has no product is "unknown".
    """
    return pd.DataFrame(worked_once([user_agents], _client, CLIENT_COLUMNS), copy=False)


def _client(text: str | None) -> tuple[str, str | None, bool]:
    if not text:
        return (UNKNOWN, None, False)
    is_cut = text.endswith(_CUT)
    text = text.removesuffix(_CUT)
    generated = _GENERATED.match(text)
    if generated:
        return (f"{generated[2].lower()} client", generated[1], is_cut)
    terraform = _TERRAFORM.search(text) if text.startswith(("HashiCorp/", "Terraform/")) else None
    if terraform:
        return ("terraform", terraform[1], is_cut)
    product = _PRODUCT.match(text)
    if not product:
        return (UNKNOWN, None, is_cut)
    name, version = product[1].lower().removesuffix(".exe"), product[2] or product[3]
    if version and re.match(r"v\d", version):
        version = version[1:]
    if name == "argocd" or name.startswith("argocd-"):
        name = "argocd"
    return (_FAMILIES.get(name, name), version, is_cut)

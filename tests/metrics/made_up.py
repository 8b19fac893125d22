"""Made-up secrets: a label, a text with one, and the secret in it. No literal here has the shape of a whole secret."""

from __future__ import annotations

import base64
import random
import string


def alnum(length: int, seed: int = 0) -> str:
    """Letters and digits in no order, the same for the same seed."""
    return _of(string.ascii_letters + string.digits, length, seed)


def hexadecimal(length: int, seed: int = 0) -> str:
    """Hexadecimal digits in no order."""
    return _of("0123456789abcdef", length, seed)


def upper(length: int, seed: int = 0) -> str:
    """Capitals and digits in no order."""
    return _of(string.ascii_uppercase + string.digits, length, seed)


def lower(length: int, seed: int = 0) -> str:
    """Small letters and digits in no order."""
    return _of(string.ascii_lowercase + string.digits, length, seed)


def uuid(seed: int = 0) -> str:
    """Hexadecimal digits as in a UUID."""
    digits = hexadecimal(32, seed)
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _of(alphabet: str, length: int, seed: int) -> str:
    return "".join(random.Random(seed + length).choices(alphabet, k=length))


def _part(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _bare(label: str, *secrets: str) -> list[tuple[str, str, str]]:
    return [(label, secret, secret) for secret in secrets]


_JWT = ".".join((_part('{"alg":"HS256","typ":"JWT"}'), _part('{"sub":"1234"}'), alnum(43)))

#: (label, text, secret)
SECRETS = [
    *_bare(
        "openai_api_key",
        "sk-" + "proj-" + alnum(48),
        "sk-" + alnum(48),
        "sk-" + alnum(20) + "T3Blbk" + "FJ" + alnum(20, 1),
    ),
    *_bare("anthropic_api_key", "sk-" + "ant-api03-" + alnum(90)),
    *_bare("openrouter_api_key", "sk-" + "or-v1-" + hexadecimal(64)),
    *_bare("xai_api_key", "xai" + "-" + alnum(80)),
    *_bare("groq_api_key", "gsk" + "_" + alnum(52)),
    *_bare("google_api_key", "AI" + "za" + alnum(35)),
    ("cohere_api_key", "COHERE_KEY=" + alnum(40), alnum(40)),
    *_bare("huggingface_token", "hf" + "_" + alnum(34)),
    *_bare("replicate_token", "r8" + "_" + alnum(37)),
    ("mistral_api_key", "MISTRAL=" + alnum(32), alnum(32)),
    *_bare("perplexity_api_key", "pplx" + "-" + alnum(48)),
    *_bare("fireworks_api_key", "fw" + "_" + alnum(24)),
    *_bare("together_api_key", "tgp" + "_v1_" + alnum(43)),
    *_bare("nvidia_api_key", "nvapi" + "-" + alnum(64)),
    *_bare("langsmith_api_key", "lsv2" + "_pt_" + hexadecimal(32) + "_" + hexadecimal(10)),
    *_bare("pinecone_api_key", "pcsk" + "_" + alnum(64)),
    ("elevenlabs_api_key", "elevenlabs key: sk" + "_" + hexadecimal(48), "sk" + "_" + hexadecimal(48)),
    *_bare("aws_access_key_id", "AK" + "IA" + upper(16), "AS" + "IA" + upper(16)),
    ("aws_secret_access_key", "aws_secret_access_key = " + alnum(40), alnum(40)),
    ("aws_secret_access_key", "AK" + "IA" + upper(16) + ", " + alnum(40), alnum(40)),
    *_bare("google_oauth_secret", "GOC" + "SPX-" + alnum(28)),
    *_bare("google_oauth_token", "ya29" + "." + alnum(60)),
    *_bare("azure_client_secret", "aB3" + "8Q~" + alnum(34)),
    ("azure_storage_key", "AccountKey=" + alnum(86) + "==", alnum(86) + "=="),
    ("azure_storage_key", "SharedAccessKey=" + alnum(43) + "=", alnum(43) + "="),
    ("azure_api_key", "Ocp-Apim-Subscription-Key: " + hexadecimal(32), hexadecimal(32)),
    ("azure_sas_token", "?sv=2022-11-02&ss=b&sig=" + alnum(44), alnum(44)),
    *_bare("digitalocean_token", "dop" + "_v1_" + hexadecimal(64)),
    ("cloudflare_api_token", "CLOUDFLARE_API_TOKEN=" + alnum(40), alnum(40)),
    *_bare("heroku_api_key", "HRKU" + "-" + alnum(36)),
    ("heroku_api_key", "heroku key: " + uuid(), uuid()),
    *_bare("alibaba_access_key", "LT" + "AI" + alnum(20)),
    ("ibm_cloud_api_key", "IBM_CLOUD_KEY=" + alnum(44), alnum(44)),
    *_bare("fly_token", "fo1" + "_" + alnum(43)),
    ("vercel_token", "VERCEL_TOKEN=" + alnum(24), alnum(24)),
    *_bare("netlify_token", "nfp" + "_" + alnum(40)),
    *_bare("terraform_token", alnum(14) + ".atlas" + "v1." + alnum(67)),
    *_bare("vault_token", "hv" + "s." + alnum(90)),
    *_bare("doppler_token", "dp" + ".pt." + alnum(43)),
    *_bare("pulumi_token", "pul" + "-" + hexadecimal(40)),
    *_bare("databricks_token", "da" + "pi" + hexadecimal(32)),
    ("snowflake_token", "SNOWFLAKE_PASSWORD=" + alnum(24), alnum(24)),
    *_bare("supabase_key", "sbp" + "_" + hexadecimal(40)),
    *_bare("planetscale_token", "pscale" + "_tkn_" + alnum(43)),
    *_bare("tailscale_key", "tskey" + "-auth-" + alnum(12) + "-" + alnum(32)),
    *_bare("github_token", "gh" + "p_" + alnum(36), "gh" + "o_" + alnum(36), "github" + "_pat_" + alnum(82)),
    *_bare("gitlab_token", "gl" + "pat-" + alnum(20)),
    *_bare("bitbucket_token", "AT" + "BB" + alnum(32)),
    *_bare("atlassian_token", "ATA" + "TT3" + alnum(180)),
    *_bare("npm_token", "npm" + "_" + alnum(36)),
    ("npm_token", "//registry.example.org/:_authToken=" + uuid(), uuid()),
    *_bare("pypi_token", "py" + "pi-AgE" + alnum(150)),
    *_bare("rubygems_key", "rubygems" + "_" + hexadecimal(48)),
    *_bare("crates_token", "ci" + "o" + alnum(32)),
    *_bare("nuget_key", "oy" + "2" + lower(43)),
    *_bare("docker_token", "dckr" + "_pat_" + alnum(27)),
    *_bare("artifactory_key", "AK" + "Cp" + alnum(69)),
    *_bare("sonar_token", "sq" + "p_" + hexadecimal(40)),
    *_bare("sentry_token", "sntry" + "s_" + alnum(80)),
    *_bare("circleci_token", "CCI" + "PAT_" + alnum(22) + "_" + hexadecimal(40)),
    *_bare("buildkite_token", "bk" + "ua_" + hexadecimal(40)),
    *_bare("grafana_token", "gl" + "sa_" + alnum(32) + "_" + hexadecimal(8)),
    *_bare("new_relic_key", "NR" + "AK-" + upper(27)),
    ("datadog_key", "DD_API_KEY=" + hexadecimal(32), hexadecimal(32)),
    *_bare("dynatrace_token", "dt0" + "c01." + upper(24) + "." + upper(64)),
    *_bare("postman_api_key", "PM" + "AK-" + hexadecimal(24) + "-" + hexadecimal(34)),
    *_bare("linear_api_key", "lin" + "_api_" + alnum(40)),
    *_bare("notion_token", "nt" + "n_" + alnum(46), "secret" + "_" + alnum(43)),
    *_bare("figma_token", "fig" + "d_" + alnum(43)),
    *_bare("asana_token", "1/" + "1203456789012345:" + hexadecimal(32)),
    *_bare("airtable_token", "pat" + alnum(14) + "." + hexadecimal(64)),
    *_bare("contentful_token", "CFP" + "AT-" + alnum(43)),
    *_bare("age_secret_key", "AGE-" + "SECRET-KEY-1" + _of("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58, 1)),
    *_bare("onepassword_token", "ops" + "_eyJ" + alnum(250)),
    *_bare(
        "slack_token",
        "xox" + "b-392817465520-" + alnum(24),
        "xapp" + "-1-" + upper(11) + "-3928174655-" + hexadecimal(64),
    ),
    *_bare("slack_webhook", "https://hooks.slack" + ".com/services/" + upper(9) + "/" + upper(9, 1) + "/" + alnum(24)),
    *_bare("discord_token", "M" + alnum(25) + "." + alnum(6) + "." + alnum(38)),
    *_bare("discord_webhook", "https://discord" + ".com/api/webhooks/392817465520391746/" + alnum(68)),
    *_bare("telegram_bot_token", "392817465:" + "AA" + alnum(33)),
    *_bare(
        "teams_webhook",
        "https://acme.webhook.office" + ".com/webhookb2/" + uuid() + "@" + uuid(1) + "/IncomingWebhook/x",
    ),
    *_bare("twilio_key", "S" + "K" + hexadecimal(32)),
    ("twilio_key", "twilio auth token: " + hexadecimal(32), hexadecimal(32)),
    *_bare("sendgrid_api_key", "S" + "G." + alnum(22) + "." + alnum(43)),
    *_bare("mailgun_api_key", "key" + "-" + hexadecimal(32)),
    *_bare("mailchimp_api_key", hexadecimal(32) + "-us" + "12"),
    ("postmark_token", "postmark: " + uuid(), uuid()),
    *_bare("sendinblue_api_key", "xkeysib" + "-" + hexadecimal(64) + "-" + alnum(16)),
    *_bare("facebook_token", "EA" + "A" + alnum(150)),
    *_bare("stripe_api_key", "sk" + "_live_" + alnum(24), "rk" + "_test_" + alnum(24), "wh" + "sec_" + alnum(32)),
    *_bare("square_token", "sq0" + "atp-" + alnum(22)),
    *_bare("shopify_token", "shp" + "at_" + hexadecimal(32)),
    *_bare("paypal_token", "access" + "_token$production$" + lower(16) + "$" + hexadecimal(32)),
    *_bare("plaid_token", "access" + "-sandbox-" + uuid()),
    ("coinbase_key", "COINBASE_SECRET=" + alnum(64), alnum(64)),
    ("algolia_key", "algolia: " + hexadecimal(32), hexadecimal(32)),
    *_bare("mapbox_token", "sk" + ".eyJ" + alnum(80) + "." + alnum(22)),
    *_bare("private_key", "-----BEGIN " + "PRIVATE KEY-----\n" + alnum(64) + "\n-----END " + "PRIVATE KEY-----"),
    *_bare("jwt", _JWT),
    ("connection_string", "postgres://app:" + "s3cr3tpw@db.example.org/x", "s3cr3tpw"),
    ("connection_string", "Server=db;Database=x;User Id=sa;" + "Password=Sup3rSecr3t", "Sup3rSecr3t"),
    ("basic_auth_url", "https://bob:" + "tiger99x@example.org/repo.git", "tiger99x"),
    ("authorization_header", "Authorization: Bearer " + lower(40), lower(40)),
    ("generic_api_key", "client_secret: " + lower(32), lower(32)),
    ("generic_api_key", "X-Key: " + hexadecimal(40), hexadecimal(40)),
    *_bare("high_entropy", alnum(40, 3)),
]

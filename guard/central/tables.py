"""Central's tables, for SQLite and Postgres."""

from __future__ import annotations

import sqlalchemy as sa

#: Rises with every change of the tables; `migrations.py` says how one comes to the next.
SCHEMA = 3

TABLES = sa.MetaData()

#: Compared byte by byte everywhere, so that pages come in one order on every database.
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_PLACE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _made() -> tuple[sa.Column, ...]:
    """Who made a row, and when (UTC epoch seconds)."""
    return sa.Column("created_at", sa.Float, nullable=False), sa.Column("created_by", _TEXT, nullable=False)


def _text(name: str, *, primary_key: bool = False, unique: bool | None = None) -> sa.Column:
    return sa.Column(name, _TEXT, nullable=False, primary_key=primary_key, unique=unique)


schema = sa.Table(
    "central_schema",
    TABLES,
    sa.Column("one", sa.Integer, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
)

projects = sa.Table(
    "central_projects",
    TABLES,
    _text("id", primary_key=True),
    _text("name", unique=True),
    _text("description"),
    *_made(),
)

apps = sa.Table(
    "central_apps",
    TABLES,
    _text("project", primary_key=True),
    _text("name", primary_key=True),
    _text("description"),
    *_made(),
)

keys = sa.Table(
    "central_keys",
    TABLES,
    _text("id", primary_key=True),
    _text("name"),
    _text("role"),
    sa.Column("project", _TEXT, index=True),
    sa.Column("app", _TEXT),
    _text("hash"),
    sa.Column("expires_at", sa.Float),
    sa.Column("revoked_at", sa.Float),
    *_made(),
)

stages = sa.Table(
    "central_stages",
    TABLES,
    _text("id", primary_key=True),
    _text("project"),
    _text("name"),
    _text("type"),
    _text("description"),
    sa.Column("paused", sa.Boolean, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("updated_at", sa.Float, nullable=False),
    *_made(),
    sa.Index("central_stages_name", "project", "name", unique=True),
)

stage_versions = sa.Table(
    "central_stage_versions",
    TABLES,
    _text("stage", primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    _text("document"),
    _text("revision"),
    _text("why"),
    *_made(),
)

policies = sa.Table(
    "central_policies",
    TABLES,
    _text("project", primary_key=True),
    _text("name", primary_key=True),
    _text("draft"),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("updated_at", sa.Float, nullable=False),
    _text("updated_by"),
    *_made(),
)

policy_versions = sa.Table(
    "central_policy_versions",
    TABLES,
    _text("project", primary_key=True),
    _text("policy", primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    _text("revision"),
    _text("digest"),
    _text("text"),
    _text("why"),
    *_made(),
)

code_metrics = sa.Table(
    "central_code_metrics",
    TABLES,
    _text("project", primary_key=True),
    _text("name", primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    _text("digest"),
    # Code, requirements and what they give, as JSON.
    _text("package"),
    _text("why"),
    *_made(),
)

floors = sa.Table(
    "central_floors",
    TABLES,
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    _text("digest"),
    _text("text"),
    _text("why"),
    *_made(),
)

releases = sa.Table(
    "central_releases",
    TABLES,
    _text("project", primary_key=True),
    _text("environment", primary_key=True),
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
    # What is in force, as JSON: the versions of policies, their candidates, and the floor's.
    _text("state"),
    _text("action"),
    _text("why"),
    *_made(),
)

audit = sa.Table(
    "central_audit",
    TABLES,
    sa.Column("place", _PLACE, primary_key=True, autoincrement=False),
    sa.Column("at", sa.Float, nullable=False),
    _text("key"),
    _text("who"),
    _text("action"),
    sa.Column("project", _TEXT),
    _text("subject"),
    _text("detail"),
    _text("why"),
    _text("before"),
    _text("hash"),
    sa.Index("central_audit_project", "project", "place"),
)

reports = sa.Table(
    "central_reports",
    TABLES,
    _text("project", primary_key=True),
    _text("environment", primary_key=True),
    _text("key", primary_key=True),
    _text("instance", primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
    _text("report"),
)

answers = sa.Table(
    "central_answers",
    TABLES,
    _text("id", primary_key=True),
    _text("request"),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("at", sa.Float, nullable=False, index=True),
)

blocks = sa.Table(
    "central_blocks",
    TABLES,
    _text("project", primary_key=True),
    _text("digest", primary_key=True),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)

datasets = sa.Table(
    "central_datasets",
    TABLES,
    _text("id", primary_key=True),
    _text("project"),
    _text("name"),
    _text("description"),
    _text("digest"),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    *_made(),
    sa.Index("central_datasets_name", "project", "name", unique=True),
)

dataset_blocks = sa.Table(
    "central_dataset_blocks",
    TABLES,
    _text("dataset", primary_key=True),
    sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
    _text("project"),
    _text("digest"),
    # The number of the block's first row.
    sa.Column("first", sa.Integer, nullable=False),
    sa.Index("central_dataset_blocks_digest", "project", "digest"),
)

jobs = sa.Table(
    "central_jobs",
    TABLES,
    _text("id", primary_key=True),
    _text("project"),
    _text("dataset"),
    _text("kind"),
    _text("ask"),
    _text("state"),
    sa.Column("done", sa.Integer, nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    _text("problem"),
    _text("report"),
    # Which process works on it, when it last said so, and how often one began to.
    _text("runner"),
    sa.Column("heard_at", sa.Float, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("started_at", sa.Float),
    sa.Column("ended_at", sa.Float),
    *_made(),
    sa.Index("central_jobs_project", "project", "id"),
    sa.Index("central_jobs_state", "state", "id"),
)

job_results = sa.Table(
    "central_job_results",
    TABLES,
    _text("job", primary_key=True),
    sa.Column("row", sa.Integer, primary_key=True, autoincrement=False),
    _text("result"),
)

#: Tables whose rows stay as they were written; the database itself refuses to change or remove one.
GROWING = (stage_versions, policy_versions, code_metrics, floors, releases, audit)

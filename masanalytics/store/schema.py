"""The tables of the store, as migrations: what is kept, in which form, and why.

Made to be opened by others too (sqlite-utils, Datasette, DB Browser). Phones and msgGroups are text; instants are integer
epoch seconds (UTC); what repeats is a small integer with a table beside it (`campaigns`, `accounts`, `codes`,
`regions`, `rounds`), because counting five million rows by small integers takes seconds where text takes minutes. The views
of `sql_views` (`messages_readable` …) show everything in words and China time.
"""

from __future__ import annotations

from sqlite_utils import Database, Migrations

from masanalytics.store import (
    archive_place,
    archive_renames,
    archived_rows,
    changed_days,
    held_out,
    message_outcomes,
    older_rounds,
    sql_views,
)
from masanalytics.store.kept_texts import plain_sentences_sql
from masanalytics.store.platform_clock import date_messages
from masanalytics.text import plain_name
from masanalytics.vocabulary import CARRIERS, Status

__all__ = ["migrations"]

migrations = Migrations("masanalytics")


def _cases(column: str, names: list[str]) -> str:
    """Return a SQL CASE that turns small integers into `names`."""
    whens = " ".join(f"WHEN {number} THEN '{name}'" for number, name in enumerate(names))
    return f"CASE {column} {whens} END"


def _china(column: str) -> str:
    """Return SQL that shows an epoch-second column in China time."""
    return f"datetime({column} + 28800, 'unixepoch')"


_STATUS = _cases("status_id", [status.name for status in Status])
_CARRIER = _cases("carrier_id", list(CARRIERS))

_LOOKUPS = """
CREATE TABLE accounts (account_id INTEGER PRIMARY KEY, account TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE campaigns (campaign_id INTEGER PRIMARY KEY, campaign TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE codes (code_id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE regions (
  region_id INTEGER PRIMARY KEY, province TEXT NOT NULL, city TEXT NOT NULL, UNIQUE (province, city)
) STRICT;
"""

_SENDING = f"""
CREATE TABLE runs (
  run_id INTEGER PRIMARY KEY,
  campaign_id INTEGER NOT NULL REFERENCES campaigns,
  account_id INTEGER NOT NULL REFERENCES accounts,
  plan_hash TEXT NOT NULL,
  process TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  ended_because TEXT
) STRICT;
CREATE TABLE batches (
  batch_id INTEGER PRIMARY KEY,
  campaign_id INTEGER REFERENCES campaigns,
  account_id INTEGER NOT NULL REFERENCES accounts,
  run_id INTEGER REFERENCES runs,
  occasion INTEGER NOT NULL DEFAULT 0,
  mode TEXT NOT NULL,
  state TEXT NOT NULL,
  msg_group TEXT,
  rspcod TEXT,
  notice TEXT,
  inferred INTEGER NOT NULL DEFAULT 0,
  content TEXT,
  template_id TEXT,
  params TEXT,
  add_serial TEXT,
  arm TEXT,
  messages INTEGER NOT NULL,
  process TEXT,
  planned_at INTEGER,
  requested_at INTEGER,
  answered_at INTEGER
) STRICT;
CREATE INDEX batches_by_group ON batches (msg_group, account_id);
CREATE INDEX batches_by_campaign ON batches (campaign_id, occasion);
CREATE INDEX batches_open ON batches (account_id, requested_at) WHERE state IN ('submitting', 'unknown');
CREATE TABLE messages (
  message_id INTEGER PRIMARY KEY,
  batch_id INTEGER NOT NULL REFERENCES batches,
  campaign_id INTEGER REFERENCES campaigns,
  account_id INTEGER NOT NULL REFERENCES accounts,
  phone TEXT NOT NULL,
  occasion INTEGER NOT NULL DEFAULT 0,
  variant INTEGER NOT NULL DEFAULT 0,
  carrier_id INTEGER NOT NULL,
  region_id INTEGER REFERENCES regions,
  segments INTEGER,
  content TEXT,
  status_id INTEGER NOT NULL,
  submitted_at INTEGER,
  received_at INTEGER,
  report_status_id INTEGER REFERENCES codes,
  error_code_id INTEGER REFERENCES codes,
  reports INTEGER NOT NULL DEFAULT 0,
  status TEXT GENERATED ALWAYS AS ({_STATUS}) VIRTUAL,
  carrier TEXT GENERATED ALWAYS AS ({_CARRIER}) VIRTUAL
) STRICT;
CREATE UNIQUE INDEX messages_once_a_batch ON messages (batch_id, phone);
CREATE UNIQUE INDEX messages_once_a_campaign ON messages (phone, campaign_id, occasion, variant);
"""

_COLLECTING = """
CREATE TABLE polls (
  poll_id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL REFERENCES accounts,
  endpoint TEXT NOT NULL,
  state TEXT NOT NULL,
  asked_at INTEGER NOT NULL,
  answered_at INTEGER,
  http_status INTEGER,
  complete INTEGER,
  records INTEGER,
  set_aside INTEGER,
  notice TEXT,
  process TEXT,
  spool TEXT UNIQUE,
  packing TEXT,
  raw BLOB
) STRICT;
CREATE INDEX polls_to_do ON polls (state) WHERE state IN ('asked', 'stored', 'unparsed');
CREATE TABLE records_set_aside (
  poll_id INTEGER NOT NULL REFERENCES polls,
  position INTEGER NOT NULL,
  reason TEXT NOT NULL,
  record TEXT NOT NULL,
  PRIMARY KEY (poll_id, position)
) STRICT;
CREATE TABLE reports (
  report_id INTEGER PRIMARY KEY,
  poll_id INTEGER NOT NULL REFERENCES polls,
  message_id INTEGER NOT NULL REFERENCES messages,
  report_status_id INTEGER NOT NULL REFERENCES codes,
  error_code_id INTEGER NOT NULL REFERENCES codes,
  submitted_at INTEGER,
  received_at INTEGER,
  submit_date TEXT NOT NULL,
  receive_date TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX reports_once
  ON reports (message_id, receive_date, report_status_id, error_code_id, submit_date);
CREATE TABLE uplinks (
  uplink_id INTEGER PRIMARY KEY,
  poll_id INTEGER NOT NULL REFERENCES polls,
  account_id INTEGER NOT NULL REFERENCES accounts,
  message_id INTEGER REFERENCES messages,
  phone TEXT NOT NULL,
  content TEXT NOT NULL,
  add_serial TEXT NOT NULL,
  sent_at INTEGER,
  send_time TEXT NOT NULL,
  opt_out TEXT
) STRICT;
CREATE UNIQUE INDEX uplinks_once ON uplinks (phone, send_time, content, add_serial, account_id);
CREATE TABLE opt_outs (
  phone TEXT PRIMARY KEY,
  since INTEGER NOT NULL,
  until INTEGER,
  reason TEXT NOT NULL,
  uplink_id INTEGER
) STRICT;
CREATE TABLE coverage (
  account_id INTEGER NOT NULL REFERENCES accounts,
  started_at INTEGER NOT NULL,
  ended_at INTEGER NOT NULL,
  PRIMARY KEY (account_id, started_at)
) STRICT;
CREATE TABLE pace (
  account_id INTEGER PRIMARY KEY REFERENCES accounts,
  wall REAL NOT NULL,
  monotonic REAL NOT NULL,
  era TEXT NOT NULL,
  holder TEXT,
  first_collected_at INTEGER
) STRICT;
"""

_HOLES = """
CREATE TABLE holes (
  poll_id INTEGER PRIMARY KEY REFERENCES polls,
  account_id INTEGER NOT NULL REFERENCES accounts,
  endpoint TEXT NOT NULL,
  since INTEGER,
  until INTEGER NOT NULL,
  records INTEGER NOT NULL,
  cuts INTEGER NOT NULL,
  given_up_at INTEGER
) STRICT"""

_VIEWS = {
    "messages_readable": f"""
SELECT m.message_id, c.campaign, a.account, m.batch_id, b.msg_group, b.mode, b.template_id, m.phone,
  coalesce(m.content, b.content) AS content, b.params, m.segments, m.carrier, r.province, r.city,
  {_china("m.submitted_at")} AS submitted_at, m.status, s.code AS report_status, e.code AS error_code,
  {_china("m.received_at")} AS received_at,
  CASE WHEN m.status_id IN (5, 6) THEN m.received_at - m.submitted_at END AS latency_s, m.reports, b.arm
FROM messages m JOIN batches b USING (batch_id) JOIN accounts a ON a.account_id = m.account_id
LEFT JOIN campaigns c ON c.campaign_id = m.campaign_id LEFT JOIN regions r USING (region_id)
LEFT JOIN codes s ON s.code_id = m.report_status_id LEFT JOIN codes e ON e.code_id = m.error_code_id""",
    "reports_readable": f"""
SELECT p.report_id, p.poll_id, p.message_id, c.campaign, a.account, b.msg_group, m.phone, s.code AS report_status,
  e.code AS error_code, {_china("p.submitted_at")} AS submitted_at, {_china("p.received_at")} AS received_at,
  p.submit_date, p.receive_date
FROM reports p JOIN messages m USING (message_id) JOIN batches b USING (batch_id)
JOIN accounts a ON a.account_id = m.account_id LEFT JOIN campaigns c ON c.campaign_id = m.campaign_id
JOIN codes s ON s.code_id = p.report_status_id JOIN codes e ON e.code_id = p.error_code_id""",
    "uplinks_readable": f"""
SELECT u.uplink_id, u.poll_id, u.message_id, c.campaign, a.account, u.phone, u.content, u.add_serial,
  {_china("u.sent_at")} AS sent_at, u.send_time, u.opt_out
FROM uplinks u JOIN accounts a USING (account_id) LEFT JOIN messages m USING (message_id)
LEFT JOIN campaigns c ON c.campaign_id = m.campaign_id""",
}


@migrations()
def m001_first_tables(db: Database) -> None:
    """Make the tables of the first release."""
    older_rounds.run_script(db, _LOOKUPS)
    older_rounds.run_script(db, _SENDING)
    older_rounds.run_script(db, _COLLECTING)
    for name, select in _VIEWS.items():
        db.execute(f"CREATE VIEW {name} AS {select}")


@migrations()
def m002_notices_of_polls(db: Database) -> None:
    """Keep what a poll's notice says as a code with parameters."""
    db.execute(plain_sentences_sql("polls", "notice"))


@migrations()
def m003_notices_of_batches_and_rounds(db: Database) -> None:
    """Keep why a batch was not accepted, and why a run ended, as codes with parameters; an occasion is called a round."""
    db.execute(plain_sentences_sql("batches", "notice"))
    db.execute(plain_sentences_sql("runs", "ended_because"))
    for table in ("batches", "messages"):
        db.execute(f"ALTER TABLE {table} RENAME COLUMN occasion TO round")


@migrations()
def m004_rejected_polls(db: Database) -> None:
    """Call a poll that the platform answered with something else than data what a batch is called then: rejected."""
    db.execute("UPDATE polls SET state = 'rejected' WHERE state = 'refused'")


@migrations()
def m005_identity_of_the_ledger(db: Database) -> None:
    """Give the file a name and a count of what was done with it, by which an older copy of it is known."""
    db.execute("CREATE TABLE ledger (ledger_id TEXT NOT NULL, turns INTEGER NOT NULL) STRICT")
    db.execute("INSERT INTO ledger VALUES (lower(hex(randomblob(16))), 0)")


@migrations()
def m006_holes_in_the_coverage(db: Database) -> None:
    """Keep which answers are known to be missing from the numbers, and what time the platform said it was."""
    db.execute("ALTER TABLE polls ADD COLUMN server_time INTEGER")
    db.execute(_HOLES)
    # What an older file knows of: how many records each can hold, and up to when everything had been fetched before it.
    db.execute(
        "INSERT INTO holes (poll_id, account_id, endpoint, since, until, records, cuts) SELECT p.poll_id, p.account_id,"
        " p.endpoint, (SELECT max(d.asked_at) FROM polls d WHERE d.account_id = p.account_id AND d.endpoint = 'report' AND"
        " d.state = 'parsed' AND d.records < 1000 AND d.poll_id < p.poll_id), coalesce(p.answered_at, p.asked_at + 300),"
        " iif(p.state = 'unparsed' AND p.records > 0, iif(p.complete, p.set_aside, 1000 - p.records + p.set_aside), 1000),"
        " NOT (p.state = 'unparsed' AND p.complete AND p.records > 0 AND p.set_aside > 0)"
        " FROM polls p WHERE p.state IN ('lost', 'unparsed')"
    )


@migrations()
def m007_charset_of_answers(db: Database) -> None:
    """Keep what the header of an answer said of its encoding: read again, it is read the same way."""
    db.execute("ALTER TABLE polls ADD COLUMN charset TEXT")


@migrations()
def m008_rounds_with_names(db: Database) -> None:
    """Give rounds names, and messages the key that tells several to one number apart; names that look alike are one.

    The first round is called "", the next ones 2, 3, …. A round in which a number got each different text keeps that rule,
    as the empty ``key_column``, and is not gone on with: nobody can tell any more which texts were meant to differ.
    """
    older_rounds.bring_along(db, _VIEWS["messages_readable"])


@migrations()
def m009_forgetting(db: Database) -> None:
    """Know who was forgotten by a salted hash, so that nobody is sent a round again; and log what was erased, and when."""
    db.execute("CREATE TABLE forgetting_salt (salt TEXT NOT NULL) STRICT")
    db.execute("CREATE TABLE forgotten (name TEXT PRIMARY KEY) STRICT")
    db.execute(
        "CREATE TABLE forgettings (forgetting_id INTEGER PRIMARY KEY, at INTEGER NOT NULL, before INTEGER, numbers INTEGER,"
        " messages INTEGER NOT NULL, replies INTEGER NOT NULL, answers INTEGER NOT NULL, opt_outs INTEGER NOT NULL) STRICT"
    )


@migrations()
def m010_parts_of_long_messages(db: Database) -> None:
    """Count equal reports of one answer, which are of several parts, and keep whether an account's reports come by part."""
    db.execute("ALTER TABLE reports ADD COLUMN copies INTEGER NOT NULL DEFAULT 1")
    db.execute("CREATE INDEX long_messages ON messages (account_id, submitted_at) WHERE segments >= 2")
    db.execute(
        "CREATE TABLE parts (account_id INTEGER PRIMARY KEY REFERENCES accounts, by_part INTEGER NOT NULL,"
        " messages INTEGER NOT NULL, complete INTEGER NOT NULL, learned_at INTEGER NOT NULL, settled_to INTEGER NOT NULL) STRICT"
    )


@migrations()
def m011_doubts_settled_by_proof(db: Database) -> None:
    """Keep whose word a batch's state is, and the msgGroup that the user has said it is not."""
    db.execute("ALTER TABLE batches ADD COLUMN settled_by_user INTEGER NOT NULL DEFAULT 0")
    db.execute("ALTER TABLE batches ADD COLUMN denied_group TEXT")
    db.execute(
        "UPDATE batches SET settled_by_user = 1 WHERE notice LIKE '%\"settled_by_user\"%' AND state IN ('accepted', 'not_sent')"
    )
    db.execute(
        "CREATE INDEX batches_with_a_group_not_accepted ON batches (account_id) WHERE state IN ('unknown', 'rejected',"
        " 'not_sent') AND msg_group IS NOT NULL"
    )


@migrations()
def m012_addresses_of_accounts(db: Database) -> None:
    """Tell accounts of one name at several addresses apart; one that is there already gets the address it is next used with."""
    db.execute(
        "CREATE TABLE account_addresses (name TEXT NOT NULL, address TEXT NOT NULL, account_id INTEGER NOT NULL REFERENCES"
        " accounts, PRIMARY KEY (name, address)) STRICT"
    )


@migrations()
def m013_own_columns(db: Database) -> None:
    """Keep columns of the user's own sheet with messages: each combination of values once, as a JSON object."""
    db.execute("CREATE TABLE kept (kept_id INTEGER PRIMARY KEY, kept TEXT NOT NULL UNIQUE) STRICT")
    db.execute("CREATE TABLE kept_columns (column_id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT")
    db.execute("ALTER TABLE messages ADD COLUMN kept_id INTEGER REFERENCES kept")


@migrations()
def m014_moved_messages(db: Database) -> None:
    """Know which batch a message stood in before a later run took it over: the platform may yet say that it has it."""
    db.execute(
        "CREATE TABLE moved (batch_id INTEGER NOT NULL REFERENCES batches, message_id INTEGER NOT NULL REFERENCES messages,"
        " content TEXT, segments INTEGER, PRIMARY KEY (batch_id, message_id)) STRICT"
    )
    db.execute("CREATE INDEX moved_messages ON moved (message_id)")
    # A message's number may be given to another one.
    db.execute(
        "CREATE TRIGGER moved_message_gone AFTER DELETE ON messages BEGIN DELETE FROM moved WHERE message_id = OLD.message_id;"
        " END"
    )


@migrations()
def m015_platform_time_of_batches(db: Database) -> None:
    """Date what no report has dated yet by the platform's time, as the msgGroup says."""
    accepted = db.execute(
        "SELECT batch_id FROM batches WHERE state = 'accepted' AND campaign_id IS NOT NULL"
    ).fetchall()
    for (batch_id,) in accepted:
        date_messages(db.conn, batch_id)


@migrations()
def m016_rule_of_parts(db: Database) -> None:
    """Keep what the user has said of how reports of long messages come; nothing where it is learned."""
    db.execute("CREATE TABLE parts_rule (rule TEXT NOT NULL) STRICT")


@migrations()
def m017_failed_before_delivered(db: Database) -> None:
    """Mark the messages that a later attempt delivered after a report had called them failed."""
    db.execute("ALTER TABLE messages ADD COLUMN first_failed INTEGER")
    db.execute("CREATE INDEX messages_failed_before ON messages (batch_id) WHERE first_failed = 1")
    several = db.execute(f"SELECT message_id FROM messages WHERE reports > 1 AND status_id = {int(Status.delivered)}")
    message_outcomes.refresh(db.conn, [row[0] for row in several.fetchall()])


@migrations()
def m018_budgets_and_caps(db: Database) -> None:
    """Keep how many segments a batch makes, from which budgets are counted, and whether its messages count towards a cap."""
    db.execute("ALTER TABLE batches ADD COLUMN segments INTEGER")
    db.execute("ALTER TABLE batches ADD COLUMN outside_caps INTEGER NOT NULL DEFAULT 0")
    db.execute(
        "UPDATE batches SET outside_caps = 1 WHERE round_id IN (SELECT round_id FROM rounds WHERE round = 'proof'"
        " AND key_column = 'proof')"
    )
    # The budget of a month looks back no further.
    db.execute(
        "UPDATE batches SET segments = (SELECT sum(coalesce(m.segments, 1)) FROM messages m WHERE m.batch_id = batches.batch_id)"
        " WHERE requested_at > (SELECT max(requested_at) FROM batches) - 32 * 86400"
    )
    db.execute("CREATE INDEX batches_spent ON batches (account_id, requested_at, state, messages, segments)")


@migrations()
def m019_views_for_everybody(db: Database) -> None:
    """Show every table in words, with what codes mean, what people look for first; and find quickly what they filter by."""
    db.execute(
        "CREATE TABLE code_meanings (code_id INTEGER PRIMARY KEY REFERENCES codes, category TEXT NOT NULL, meaning TEXT NOT NULL,"
        " meaning_zh TEXT NOT NULL) STRICT"
    )
    sql_views.explain_codes(db.conn, db.execute("SELECT code_id, code FROM codes").fetchall())
    for index in sql_views.INDEXES:
        db.execute(index)
    sql_views.make_views(db.conn)


@migrations()
def m020_names_of_arms(db: Database) -> None:
    """Write the names of arms as they are kept now: two that look alike are one."""
    for (arm,) in db.execute("SELECT DISTINCT arm FROM batches WHERE arm IS NOT NULL").fetchall():
        if plain_name(arm) != arm:
            db.execute("UPDATE batches SET arm = nullif(?, '') WHERE arm = ?", [plain_name(arm), arm])


@migrations()
def m021_template_texts(db: Database) -> None:
    """Remember what templates say, as their owner said it, and which run used which text."""
    db.execute(
        "CREATE TABLE template_texts (text_id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL REFERENCES accounts,"
        " template_id TEXT NOT NULL, text TEXT NOT NULL, first_used INTEGER NOT NULL, last_used INTEGER NOT NULL,"
        " UNIQUE (account_id, template_id, text)) STRICT"
    )
    db.execute("ALTER TABLE runs ADD COLUMN text_id INTEGER REFERENCES template_texts")


@migrations()
def m022_changed_days(db: Database) -> None:
    """Note which days of which accounts have changed: an export writes those again."""
    changed_days.make_triggers(db.conn)


@migrations()
def m023_keys_that_are_days(db: Database) -> None:
    """Write keys that are days as they are read now, without a midnight: the same day is the same key."""
    db.execute(
        "UPDATE OR IGNORE messages SET key = substr(key, 1, 10) WHERE key GLOB '????-??-?? 00:00:00' AND round_id IN"
        " (SELECT round_id FROM rounds WHERE key_column IS NOT NULL)"
    )


@migrations()
def m024_silent_arms(db: Database) -> None:
    """Know who is in a silent arm and gets nothing, until when, and the shares that the arms of a round were meant to have."""
    held_out.make_table(db.conn)
    sql_views.make_views(db.conn)


@migrations()
def m025_archived_messages(db: Database) -> None:
    """Know who got which round also where the message has moved into an archive, and keep the reports that come late."""
    archived_rows.make_tables(db.conn)


@migrations()
def m026_claims_by_our_clock(db: Database) -> None:
    """Keep when a request was claimed by our clock, where that was days off and the request is dated by the platform's."""
    db.execute("ALTER TABLE batches ADD COLUMN claimed_at INTEGER")
    db.execute("CREATE INDEX batches_claimed ON batches (account_id, claimed_at) WHERE claimed_at IS NOT NULL")
    db.execute("DROP INDEX batches_spent")
    db.execute(
        "CREATE INDEX batches_spent ON batches (account_id, requested_at, state, messages, segments, claimed_at)"
    )


@migrations()
def m027_offset_of_our_clock(db: Database) -> None:
    """Keep by how much our clock was behind the platform's when it answered last, where it was wrong; caps look back by both."""
    db.execute(
        "CREATE TABLE clock_offset (id INTEGER PRIMARY KEY CHECK (id = 1), ours INTEGER NOT NULL, behind_s INTEGER NOT NULL) STRICT"
    )


@migrations()
def m028_keys_that_are_whole_numbers(db: Database) -> None:
    """Write keys that are whole numbers as they are read now, without a ``.0``: the same number is the same key."""
    for table in ("messages", "archived"):
        db.execute(
            f"UPDATE OR IGNORE {table} SET key = substr(key, 1, length(key) - 2) WHERE key GLOB '[0-9]*.0' AND"
            " substr(key, 1, length(key) - 2) NOT GLOB '*[^0-9]*' AND round_id IN (SELECT round_id FROM rounds WHERE key_column"
            " IS NOT NULL)"
        )


@migrations()
def m029_place_of_the_archive(db: Database) -> None:
    """Know where the archive is, and which of its files name an account that was made part of another one since."""
    archive_place.make_table(db.conn)
    archive_renames.make_table(db.conn)


@migrations()
def m030_accounts_of_older_archives(db: Database) -> None:
    """Have the files that are archived already compared with the store: an account may have become part of another since."""
    archive_renames.note_older_files(db.conn)


@migrations()
def m031_late_reports_of_open_messages(db: Database) -> None:
    """Let batches count the late reports of archived messages that were pending."""
    archived_rows.add_open_messages(db.conn)


@migrations()
def m032_outcomes_of_archived_messages(db: Database) -> None:
    """Let batches count the late reports of archived messages that had been reported before."""
    archived_rows.add_outcomes(db.conn)


@migrations()
def m033_equal_late_reports(db: Database) -> None:
    """Let equal late reports of a long message be as many as came."""
    archived_rows.add_copies(db.conn)


@migrations()
def m034_checksums_of_archived_files(db: Database) -> None:
    """Let damage in a file of the archive be seen before it is read."""
    archived_rows.add_checksums(db.conn)

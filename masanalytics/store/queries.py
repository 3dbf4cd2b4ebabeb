"""The questions behind the store's simple frames: reports, uplinks, batches, polls, opt-outs."""

from __future__ import annotations

__all__ = ["BATCHES", "FOREIGN", "OPT_OUTS", "POLLS", "REPORTS", "REPORT_INTEGERS", "UPLINKS"]

REPORT_COLUMNS = (
    "SELECT p.report_id, p.poll_id, p.message_id, c.campaign, a.account, b.msg_group, m.phone, s.code AS report_status,"
    " nullif(e.code, '') AS error_code, p.submitted_at, p.received_at, p.submit_date, p.receive_date FROM reports p"
    " JOIN messages m USING (message_id) JOIN batches b USING (batch_id) JOIN accounts a ON a.account_id = m.account_id"
    " LEFT JOIN campaigns c ON c.campaign_id = m.campaign_id JOIN codes s ON s.code_id = p.report_status_id"
    " JOIN codes e ON e.code_id = p.error_code_id"
)
REPORTS = f"{REPORT_COLUMNS} WHERE ? IS NULL OR c.campaign = ? ORDER BY p.report_id"
FOREIGN = f"{REPORT_COLUMNS} WHERE m.campaign_id IS NULL ORDER BY p.report_id"
REPORT_INTEGERS = ("report_id", "poll_id", "message_id")
UPLINKS = (
    "SELECT u.uplink_id, u.poll_id, u.message_id, c.campaign, a.account, u.phone, u.content, u.add_serial, u.sent_at,"
    " u.send_time, u.opt_out FROM uplinks u JOIN accounts a USING (account_id) LEFT JOIN messages m USING (message_id)"
    " LEFT JOIN campaigns c ON c.campaign_id = m.campaign_id WHERE ? IS NULL OR c.campaign = ? ORDER BY u.uplink_id"
)
BATCHES = (
    "SELECT b.batch_id, c.campaign, a.account, b.occasion, b.mode, b.state, b.msg_group, b.rspcod, b.notice, b.inferred,"
    " b.messages, (SELECT count(*) FROM messages m WHERE m.batch_id = b.batch_id AND m.status_id = 5) AS delivered,"
    " (SELECT count(*) FROM messages m WHERE m.batch_id = b.batch_id AND m.status_id = 6) AS failed,"
    " b.template_id, b.params, b.content, b.add_serial, b.arm, b.planned_at, b.requested_at, b.answered_at"
    " FROM batches b JOIN accounts a USING (account_id) LEFT JOIN campaigns c USING (campaign_id)"
    " WHERE (? IS NULL OR c.campaign = ?) AND (? IS NULL OR b.state = ?) ORDER BY b.batch_id"
)
POLLS = (
    "SELECT p.poll_id, a.account, p.endpoint, p.state, p.asked_at, p.answered_at, p.http_status, p.records, p.set_aside,"
    " p.notice, length(p.raw) AS size_bytes FROM polls p JOIN accounts a USING (account_id)"
    " WHERE ? IS NULL OR p.state = ? ORDER BY p.poll_id"
)
OPT_OUTS = (
    "SELECT o.phone, o.since, o.reason, u.content FROM opt_outs o LEFT JOIN uplinks u USING (uplink_id)"
    " WHERE o.until IS NULL ORDER BY o.since, o.phone"
)

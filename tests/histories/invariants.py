"""What must never be, whatever happens."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import masanalytics as mas
from tests.histories import product
from tests.histories.ledger import identity_of

if TYPE_CHECKING:
    from masanalytics.sending import SendResult
    from tests.histories.actions import Send
    from tests.histories.ledger import CanaryState, Identity, Taken
    from tests.histories.world import World

__all__ = ["judge_acceptance", "judge_end", "judge_limits", "judge_result", "judge_round", "judge_store", "stored_rows"]

_REPORTED = 0.8
_MOST_FAILED = 0.2
_PROOF_SHARE = 0.8
_PROOF_LEAST = 5
_HOUR_S = 3600
_DAY_S = 86_400
_CHINA_S = 8 * 3600
_ROUNDING_S = 3
_TAKEN = ("pending", "delivered", "failed")
_ACCOUNTED = ("unknown", "rejected")


def judge_acceptance(world: World, identity: Identity, taken: Taken) -> None:
    """Nobody gets the same twice, and nobody who has opted out gets anything."""
    before = world.ledger.by_identity.get(identity, [])
    if before and not all(_excused(world, earlier) for earlier in before):
        world.broken("twice", f"{identity} was taken in {before[0].group} and again in {taken.group}")
    if identity.phone in world.scope.opted_out:
        world.broken("opted_out", f"{identity} had opted out before the call")


def _excused(world: World, earlier: Taken) -> bool:
    """Whether the user has said of this request that it was not sent, and nothing in the store contradicted it."""
    if earlier.group not in world.settled_wrongly or earlier.arrived:
        return False
    world.settle_doubtful_pages()
    named = {phone for phone, _, _ in world.ledger.reports_of({earlier.group})}
    if len(named) < max(_PROOF_LEAST, _PROOF_SHARE * len(earlier.phones)):
        return True
    with world.reading() as store:  # where another batch in doubt could have caused the reports, they prove nothing
        return bool(named & set(store.messages(status="unknown")["phone"]))


def judge_round(world: World, taken: Taken) -> None:
    """A round has one rule of identity, and nothing goes beside a canary that is not known to be normal."""
    places = {(one.campaign, one.round) for one in map(identity_of, taken.phones, taken.texts) if one is not None}
    for place in places:
        if len(world.ledger.rules[place]) > 1:
            world.broken("two_rules", f"round {place} went out with a key and without")
        canary = world.ledger.canaries.get(place)
        if canary is None or canary.is_released:
            continue
        scope = world.scope
        is_its_own = scope.canary is not None and scope.canary[:2] == place
        if not is_its_own and (scope.began if scope.claims_ahead else scope.left) < canary.opened:
            canary.before += len(taken.phones)
            continue
        if world.ledger.of_round[place] <= canary.before + canary.size:
            canary.members |= {(phone, taken.group) for phone in taken.phones}
            continue
        _judge_canary(world, place, canary)
        canary.is_released = True  # it was normal once


def _judge_canary(world: World, place: tuple[str, str], canary: CanaryState) -> None:
    world.settle_doubtful_pages()
    arrived = world.ledger.reports_of({group for _, group in canary.members})
    final = {(phone, group): code for phone, group, code in arrived if (phone, group) in canary.members}
    failed = sum(code != "DELIVRD" for code in final.values())
    if len(final) < _REPORTED * canary.size or failed > _MOST_FAILED * len(final):
        world.broken(
            "canary",
            f"round {place} has {world.ledger.of_round[place]} messages, but of its canary of {canary.size} only"
            f" {len(final)} are reported, {failed} of them failed",
        )


def judge_limits(world: World, taken: Taken) -> None:
    """No day of China, as the user's machine has it, sees more than the budget, and nobody gets more than the cap.

    What the user has wrongly said of a request was not sent is excused, and so are caps where the clock jumped and the platform
    has not said since what time it is.
    """
    scope = world.scope
    known = [one for one in world.ledger.taken if one.group not in world.settled_wrongly]
    if scope.budget:
        sent = sum(len(one.phones) for one in known if _day(one.asked_at) == _day(taken.asked_at))
        if sent > scope.budget:
            world.broken("budget", f"{sent} messages in a day that may have {scope.budget}")
    if scope.cap and world.knows_time:
        since = taken.taken_at - product.CAP_DAYS * _DAY_S + _ROUNDING_S
        got = Counter(phone for one in known if one.taken_at > since for phone in one.phones)
        over = [phone for phone in taken.phones if got[phone] > scope.cap]
        if over:
            world.broken("cap", f"{over[0]} got {got[over[0]]} messages in {product.CAP_DAYS} days, {scope.cap} may be")


def _day(asked_at: float) -> int:
    return int(asked_at + _CHINA_S) // _DAY_S


def judge_result(
    world: World, store: Any, action: Send, result: SendResult, taken: int, wanted: list[Identity]
) -> None:
    """A run that calls itself done has left nobody behind, and claims nothing that was not taken."""
    if result.accepted > taken:
        world.broken("claimed", f"the result says {result.accepted} accepted, the platform took {taken}")
    if product.sum_of(result) != result.planned:
        world.broken("sums", f"planned {result.planned}, accounted for {product.sum_of(result)}: {result.text()}")
    if not result.ok:
        return
    doubtful = _identities(store.messages(), ("unknown",))
    opted_out = set(store.opt_outs()["phone"])
    unreached = [one for one in wanted if not world.ledger.by_identity.get(one)]
    left = [one for one in unreached if one not in doubtful and one.phone not in opted_out]
    if action.cap:  # left out of the plan
        messages = store.messages()
        may_be_out = messages[messages["campaign"].notna() & messages["status"].isin((*_TAKEN, "unknown"))]
        got = may_be_out["phone"].value_counts()
        left = [one for one in left if got.get(one.phone, 0) < action.cap]
    if left:
        name = "ok_with_left" if action.limit is None else "ok_with_left_by_limit"
        world.broken(name, f"{len(left)} of {len(wanted)} never reached the platform: {result.text()}")


def judge_store(world: World, store: Any, *, fetched: bool) -> None:
    """Judge what the store says now; after fetching, also what it says of reports and rates."""
    messages = store.messages()
    _judge_messages(world, messages)
    if (messages["status"] == "unknown").any():
        _judge_verdicts(world, store, messages)
    if fetched:
        _judge_reports(world, store)
        _judge_rates(world, store, messages)


def _judge_messages(world: World, messages: Any) -> None:
    """What is called taken was taken, for that campaign, and is counted once."""
    ours = messages[messages["campaign"].notna() & messages["status"].isin(_TAKEN)]
    for phone, content, campaign, status in zip(
        ours["phone"], ours["content"], ours["campaign"], ours["status"], strict=True
    ):
        if not world.ledger.by_text[phone, content]:
            world.broken("not_taken", f"a message of {campaign} to {phone} is {status}, but was never taken")
            return
    counted, accepted = int(messages["status"].isin(_TAKEN).sum()), world.simulator.counts["accepted"]
    if counted > accepted:
        world.broken("counted_twice", f"the store counts {counted} messages as taken, the platform {accepted}")


def _judge_verdicts(world: World, store: Any, messages: Any) -> None:
    """A verdict that a user may follow is true."""
    batches = store.batches(state="unknown")
    for batch_id, verdict in zip(batches["batch_id"], batches["verdict"], strict=True):
        if product.is_confident(verdict):
            own = messages[messages["batch_id"] == batch_id]
            if any(world.ledger.by_text[key] for key in zip(own["phone"], own["content"], strict=True)):
                world.broken("verdict", f"batch {batch_id} is {verdict!r}, and was taken")


def _judge_reports(world: World, store: Any) -> None:
    """Every report and every reply handed out is in the store, or in a hole that the store knows."""
    stored = stored_rows(store)
    missing = sum(bool(Counter(page.rows) - stored) for page in world.ledger.pages)
    if not missing:
        return
    under_way = store.polls()["state"].isin(("asked", "stored"))
    holes = len(store.missing_answers()) + int(under_way.sum()) + product.waiting_answers(world.path)
    if missing > holes:
        world.broken("report_gone", f"what {missing} pages brought is not in the store, which knows of {holes} holes")


def stored_rows(store: Any) -> Counter[tuple[str, str, str]]:
    """Return what the store has of reports and replies, as `Page.rows` has it."""
    reports, replies = store.reports(), store.uplinks()
    stored = Counter(zip(reports["phone"], reports["msg_group"], reports["report_status"], strict=True))
    return stored + Counter((phone, text, "") for phone, text in zip(replies["phone"], replies["content"], strict=True))


def _judge_rates(world: World, store: Any, messages: Any) -> None:
    """The bounds of a campaign's rate hold the truth, unless somebody else took reports away.

    Pushes do not say what time it is: in the HTTP flavour nothing can know that the clock was set before the next answer.
    """
    is_told = world.pushes is None or world.is_clock_told
    if not is_told or not messages["status"].isin(_TAKEN).any():
        return
    _judge_ages(world, store)
    fates = {(one.phone, one.content): one.code for one in world.simulator.messages if one.latency < float("inf")}
    rates = mas.delivery_rates(store, by="campaign", history=None, cluster=None)
    for campaign, accepted, delivered, most in rates[["campaign", "accepted", "delivered", "most"]].itertuples(
        index=False
    ):
        mine = messages[(messages["campaign"] == campaign) & messages["status"].isin(_TAKEN)]
        gone = world.ledger.rows_gone & set(mine["msg_group"].dropna())
        if gone or not accepted or len(mine) != accepted:
            continue
        truth = sum(fates.get(key) == "DELIVRD" for key in zip(mine["phone"], mine["content"], strict=True))
        if not delivered <= truth <= most * accepted + 1e-6:
            world.broken(
                "bound", f"{campaign}: {truth} of {accepted} arrive, the table says {delivered} and at most {most:.3f}"
            )


def _judge_ages(world: World, store: Any) -> None:
    """Nothing is called observed for an hour that the platform took less than an hour ago."""
    counted = int(mas.delivery_rates(store, within=_HOUR_S, history=None, cluster=None)["accepted"].sum())
    oldest = world.platform.now() - _HOUR_S + _ROUNDING_S
    old = sum(one.submitted_at <= oldest for one in world.simulator.messages)
    if counted > old:
        world.broken("too_young", f"{counted} messages count as observed for an hour, {old} are as old as that")


def judge_end(world: World, store: Any) -> None:
    """At the end everybody was reached, or the store says what is known of the others."""
    accounted = _identities(store.messages(), _ACCOUNTED)
    opted_out = set(store.opt_outs()["phone"])
    for place, identities in world.wanted.items():
        is_held = world.held.get(place, False)  # the last result said so
        for identity in identities:
            if world.ledger.by_identity.get(identity) or identity.phone in opted_out or is_held:
                continue
            if identity not in accounted:
                world.broken("forgotten", f"{identity} was not reached, and the store does not say why")
                return


def _identities(messages: Any, statuses: tuple[str, ...]) -> set[Identity]:
    """Return whom the store's messages of these statuses are for."""
    chosen = messages[messages["status"].isin(statuses) & messages["content"].notna()]
    found = map(identity_of, chosen["phone"], chosen["content"])
    return {identity for identity in found if identity is not None}


def groups_of_batch(world: World, store: Any, batch_id: int) -> set[str]:
    """Return the msgGroups under which the platform took a batch of the store."""
    messages = store.messages()
    own = messages[messages["batch_id"] == batch_id]
    keys = set(zip(own["phone"], own["content"], strict=True))
    return {taken.group for taken in world.ledger.taken if keys & set(zip(taken.phones, taken.texts, strict=True))}

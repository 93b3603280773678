"""Facts about pools, and how each has always been written."""

from ledger.facts.credits.grants import CreditGrantCreated, GrantCategory
from ledger.facts.credits.pools import (
    CreditPoolArchived,
    CreditPoolCreated,
    CreditPoolMemberAdded,
    CreditPoolMemberRemoved,
    CreditPoolUpdated,
)
from ledger.facts.union import Fact

WRITTEN_POOLS: list[tuple[Fact, str]] = [
    (
        CreditPoolCreated(
            pool_id="team", name=None, cap=9, currency="usd", metadata={"a": "b"}
        ),
        (
            """[{"fact":"credit_pool.created","pool_id":"team","name":null,"cap":9,"""
            """"currency":"usd","metadata":{"a":"b"}}]"""
        ),
    ),
    (
        CreditPoolUpdated(
            pool_id="team", name="Team", cap=None, currency=None, metadata={}
        ),
        (
            """[{"fact":"credit_pool.updated","pool_id":"team","name":"Team","""
            """"cap":null,"currency":null,"metadata":{}}]"""
        ),
    ),
    (
        CreditPoolArchived(pool_id="team"),
        """[{"fact":"credit_pool.archived","pool_id":"team"}]""",
    ),
    (
        CreditPoolMemberAdded(pool_id="team", customer="c", cap=4, currency="usd"),
        (
            """[{"fact":"credit_pool.member_added","pool_id":"team","customer":"c","""
            """"cap":4,"currency":"usd"}]"""
        ),
    ),
    (
        CreditPoolMemberRemoved(pool_id="team", customer="c"),
        (
            """[{"fact":"credit_pool.member_removed","pool_id":"team","""
            """"customer":"c"}]"""
        ),
    ),
    (
        CreditGrantCreated(
            grant_id="credgr_1",
            customer="",
            amount=9,
            currency="usd",
            prices=None,
            category=GrantCategory.PAID,
            name=None,
            priority=50,
            effective_at=1,
            expires_at=None,
            metadata={},
            pool="team",
        ),
        (
            """[{"fact":"credit_grant.created","grant_id":"credgr_1","customer":"","""
            """"amount":9,"currency":"usd","prices":null,"category":"paid","name":null,"""
            """"priority":50,"effective_at":1,"expires_at":null,"metadata":{},"""
            """"pool":"team"}]"""
        ),
    ),
]

"""Nothing that a store holds is left out of a copy of it by mistake."""

from ledger.backups.rows import KEPT, schema_of
from ledger.records import tables
from ledger.schema import log_commit, metadata
from projections.alerts.tables import CHECKPOINTS
from projections.folds import folded_tables
from projections.schema import metadata as projected

BY_OTHER_MEANS = {"log_head", "log_commit", "log_ancestor", "log_segment_chunk"}
LEFT_OUT = {"log_sealing"}
"""What is being sealed is another process's affair."""


def test_every_table_is_copied_or_follows_from_one_that_is() -> None:
    copied = {each.name for each in (*KEPT, *CHECKPOINTS)}
    follow = {each.name for each in folded_tables()}

    assert copied | BY_OTHER_MEANS | LEFT_OUT >= metadata.tables.keys()
    assert copied >= tables.metadata.tables.keys()
    assert copied | follow >= projected.tables.keys()


def test_every_column_of_what_is_copied_has_a_type_of_arrow() -> None:
    for table in (*KEPT, *CHECKPOINTS, *folded_tables(), log_commit):
        assert schema_of(table).names == [each.name for each in table.columns]

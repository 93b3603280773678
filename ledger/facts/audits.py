"""Facts about audits: what a pass found that differs from the log."""

import msgspec


class AuditFailed(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="fact", tag="audit.failed"
):
    """A pass of the audit found differences that the pass before it had not found.

    Attributes:
        audit_id: of the pass.
        up_to: the position up to which it compared.
        difference_count: how many differences it found.
        first: the first of them, a sentence that names where it is.
    """

    audit_id: str
    up_to: int
    difference_count: int
    first: str

"""Statements: a re-aggregation as SQL over the sealed files, for whoever can read them."""

from metering.errors import InvalidRequestError
from metering.reaggregation.questions import question_asked
from metering.reaggregation.requests import Reaggregate
from metering.store.engine import Engine
from projections.scans.reaggregation.jobs import segments_concerned
from projections.scans.reaggregation.statement import statement_of
from projections.scans.recorded import RecordedEvents


def statement(engine: Engine, request: Reaggregate) -> str:
    """Write a re-aggregation as SQL; see `Metering.reaggregate_sql`."""
    question, recorded = question_asked(engine, request)
    if not question.measures:
        raise InvalidRequestError(
            "Invalid meters: there is none to ask about; create one", param="meters"
        )
    _check_sealed(recorded)
    # One that holds nothing of it says that there is nothing.
    segments = segments_concerned(question, recorded) or recorded.segments[:1]
    files = []
    for segment in segments:
        address = recorded.reader.address(segment)
        if address is None:
            raise InvalidRequestError(
                f"Segment {segment.name} lies in the database, where only the store can"
                " read it; give the store a segment store by segments=, and seal",
                param="as_of",
            )
        files.append(address)
    return statement_of(question, files, recorded.cancelled)


def _check_sealed(recorded: RecordedEvents) -> None:
    """Check that all events that count lie in segments.

    Raises:
        InvalidRequestError: some do not.
    """
    if recorded.segments and not recorded.tail.num_rows:
        return
    last = recorded.segments[-1].up_to if recorded.segments else 0
    instead = f", or give as_of={last}" if last else ""
    raise InvalidRequestError(
        f"Events after position {last} lie in no file yet; seal the store first{instead}",
        param="as_of",
    )

"""Routes of statements: previewed, finalised, listed, voided, compared, and run in bulk.

Times are in RFC 3339 with every digit, quantities strings, amounts minor units.
"""

from metering.arguments.pages import LIMIT
from metering.bodies import Body
from metering.server.api.pages import listed
from metering.server.api.routes import Answer, Call, Route
from metering.server.grammar.dialects import EXTENSION
from metering.statements.drift import StatementDrift
from metering.statements.requests import (
    StatementFinalize,
    StatementList,
    StatementPreview,
    StatementRun,
)
from metering.statements.tables import plain_rows

STATEMENTS = "/metering/v1/statements"


def _preview(call: Call) -> Answer:
    made = call.m.statements.preview(**call.given)
    return Answer(body=made.to_dict(), position=made.position)


def _finalize(call: Call) -> Answer:
    return Answer(body=call.m.statements.finalize(**call.given).to_dict())


def _retrieve(call: Call) -> Answer:
    return Answer(body=_found(call, call.ids["id"]))


def _list(call: Call) -> Answer:
    page = call.m.statements.list(**{"limit": LIMIT, **call.given})
    data = [each.to_dict() for each in page]
    return Answer(body=listed(data, STATEMENTS, has_more=page.has_more))


def _void(call: Call) -> Answer:
    return Answer(body=call.m.statements.void(call.ids["id"]).to_dict())


def _explain(call: Call) -> Answer:
    made = call.m.explain(call.m.statements.retrieve(call.ids["id"]))
    body = {**made.to_dict(), "adds_up": made.adds_up()}
    return Answer(body=body, position=made.position)


def _drift(call: Call) -> Answer:
    drift = call.m.statements.drift(call.ids["id"])
    return Answer(body=_drifted(drift), position=drift.position)


def _drifted(drift: StatementDrift) -> Body:
    return {
        "object": "metering.statement_drift",
        "statement": drift.statement.id,
        "position": drift.position,
        "amount_change": drift.amount_change,
        "lines": [
            {
                **line.to_dict(),
                "quantity_change": f"{line.quantity_change:f}",
                "amount_change": line.amount_change,
            }
            for line in drift.lines
        ],
        "causes": plain_rows(drift.causes),
    }


def _run(call: Call) -> Answer:
    receipt = call.m.statements.run(**call.given)
    return Answer(
        body={
            "object": "metering.statements_receipt",
            "finalized": receipt.finalized,
            "repeated": receipt.repeated,
            "rejected": receipt.rejected,
            "position": receipt.position,
            "rejections": plain_rows(receipt.rejections),
        }
    )


def _found(call: Call, statement_id: str) -> Body:
    return call.m.statements.retrieve(statement_id).to_dict()


_ONE = f"{STATEMENTS}/{{id}}"

ROUTES = (
    Route(
        method="POST",
        dialect=EXTENSION,
        path=f"{STATEMENTS}/preview",
        scope="read",
        summary="Preview what a customer's usage comes to, and record nothing.",
        handler=_preview,
        # What it answers is soon another thing; nothing came of it.
        keeps_answers=False,
        takes=StatementPreview,
    ),
    Route(
        method="POST",
        dialect=EXTENSION,
        path=f"{STATEMENTS}/run",
        scope="admin",
        summary="Finalize every period of a subscription that has ended, in bulk.",
        handler=_run,
        is_heavy=True,
        # It does nothing twice by itself.
        keeps_answers=False,
        takes=StatementRun,
    ),
    Route(
        method="POST",
        dialect=EXTENSION,
        path=STATEMENTS,
        scope="admin",
        summary="Finalize a statement, and draw the customer's credits, once by its id.",
        handler=_finalize,
        recover=_found,
        takes=StatementFinalize,
    ),
    Route(
        method="GET",
        dialect=EXTENSION,
        path=STATEMENTS,
        scope="read",
        summary="List finalized statements, and those that became void.",
        handler=_list,
        is_list=True,
        takes=StatementList,
    ),
    Route(
        method="GET",
        dialect=EXTENSION,
        path=_ONE,
        scope="read",
        summary="Retrieve a finalized statement, as it was made.",
        handler=_retrieve,
    ),
    Route(
        method="POST",
        dialect=EXTENSION,
        path=f"{_ONE}/void",
        scope="admin",
        summary="Void a statement: its credits come back, its period is free again.",
        handler=_void,
        recover=_found,
    ),
    Route(
        method="GET",
        dialect=EXTENSION,
        path=f"{_ONE}/explanation",
        scope="read",
        summary="Explain what is due: its lines and credits, and the usage of each line.",
        handler=_explain,
        # The events of a period may be very many.
        is_heavy=True,
    ),
    Route(
        method="GET",
        dialect=EXTENSION,
        path=f"{_ONE}/drift",
        scope="read",
        summary="Compare a statement with today, and name what was recorded since.",
        handler=_drift,
    ),
)

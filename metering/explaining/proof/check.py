"""Check an exported explanation: `python check.py [DIGEST]`, with Python alone.

README.txt says what the files are, and what is shown. DIGEST is that of the checkpoint as
you know it from elsewhere. The first thing that is wrong is said in a line.
"""

import csv
import hashlib
import json
import sys
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from struct import pack

# Few lines, so that whoever has to trust them reads them.
# fmt: off
HERE = Path(__file__).resolve().parent
NAMES = ["README.txt", "chain.csv", "check.py", "contents.ndjson", "events.csv", "events.parquet"]
NAMES += ["figures.json", "not_counted.csv", "not_counted.parquet"]
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")

def need(holds, problem):
    if not holds:
        raise ValueError(problem)

def instant(text):
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)

def lines_of(name):
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        yield from file

def rows_of(name):
    rows, last = {}, 0
    for row in csv.DictReader(lines_of(name)):
        at, row["at"] = int(row["position"]), instant(row["timestamp"])
        need(at > last, f"{name}: position {at} comes after {last}")
        rows[at], last = row, at
    return rows

def strings(values):
    raw = [value.encode() for value in values]
    ends = pack(f"<{len(raw)}i", *accumulate(map(len, raw)))
    return pack("<q", len(raw)) + ends + b"".join(raw)

def words(values):
    codes = {word: code for code, word in enumerate(dict.fromkeys(values))}
    return strings(codes) + pack(f"<{len(values)}i", *map(codes.get, values))

def quantities(values):
    bits = "".join("01"[each is not None] for each in values)
    octets = bytes(int(bits[at : at + 8].ljust(8, "0"), 2) for at in range(0, len(bits), 8))
    units = [int(Fraction(each) * 10**12) for each in values if each is not None]
    given = b"".join(each.to_bytes(16, "little", signed=True) for each in units)
    return pack("<q", len(values) - len(units)) + (octets if "0" in bits else b"") + given

def content_of(events):
    names, ids, customers, times, values, payloads = zip(*events)
    entries = [entry for payload in payloads for entry in payload]
    parts = [pack("<q", len(ids)), words(names), strings(ids), words(customers)]
    parts += [pack(f"<{len(ids)}q", *times), quantities(values)]
    parts += [pack(f"<{len(ids)}i", *accumulate(map(len, payloads)))]
    return b"".join(parts + [strings([e[side] for e in entries]) for side in (0, 1)])

def read_chain(told, listed):
    position, digest, shown = told["after"], bytes.fromhex(told["after_digest"]), {}
    waiting, cancelled = sorted(listed, reverse=True), {}
    contents = map(json.loads, lines_of("contents.ndjson"))
    for row in csv.DictReader(lines_of("chain.csv")):
        first, count, recorded_at = map(int, [*row.values()][:3])
        kind, content = row["kind"].encode(), bytes.fromhex(row["content_digest"])
        need(first == position + 1, f"chain.csv: {first} comes after {position}")
        if row["is_shown"] == "1":
            said = next(contents, "")
            own = said.encode() if kind == b"facts" else content_of(said)
            own = hashlib.sha256(own).digest()
            need(own == content, f"contents.ndjson: {first} is not what was recorded")
            into, entries = (shown, said) if kind == b"usage" else (cancelled, json.loads(said))
            into.update(enumerate(entries, first))
        position += count
        while waiting and waiting[-1] <= position:
            at = waiting.pop()
            then = recorded_at if told["is_time_corrected"] else instant(listed[at]["recorded_at"])
            is_there = first <= at and kind == b"usage" and then == recorded_at
            need(is_there, f"chain.csv: the event {at} is not in it")
        link = digest + pack("<qqq", first, count, recorded_at) + kind.ljust(8) + content
        digest = hashlib.sha256(link).digest()
    end = position, digest.hex(), next(contents, None)
    need(end == (told["position"], told["digest"], None), "chain.csv: it misses the checkpoint")
    return shown, {by: fact["event_position"] for by, fact in cancelled.items()}

def figure(formula, events):
    values = [Fraction(each["value"]) for each in events if each["value"]] or [0]
    distinct = {each["string"] for each in events}
    average = Fraction(round(Fraction(sum(values) * 10**12, len(values))), 10**12)
    found = {"sum": sum(values), "min": min(values), "max": max(values), "avg": average}
    found |= {"count": len(events), "unique_count": len(distinct), "last": values[-1]}
    return found[formula]

def check(told, counted, others, shown, cancelled):
    start, end, known = (told[name] for name in ("start", "end", "as_of"))
    for part in [*told["parts"], told]:
        events = [e for e in counted.values() if part["start"] <= e["at"] < part["end"]]
        made = figure(part["formula"], events), len(events)
        is_told = made == (Fraction(part["value"]), part["event_count"])
        need(is_told, f"figures.json: {made[1]} events make {made[0]}, not what it says")
    gone = {at for by, at in cancelled.items() if by <= known}
    for at, each in [*others.items(), *counted.items()]:
        by, is_inside = int(each.get("by") or 0), start <= each["at"] < end
        why, is_valid = each.get("reason", "counted"), at <= known and at not in gone
        is_so = {
            "counted": is_inside and is_valid and at not in others,
            "outside": not is_inside,
            "later": is_inside and at > known,
            "cancelled": is_inside and at < by <= known and cancelled.get(by, at) == at,
            "replaced": is_inside and is_valid and by != at and (by in counted or by in others),
        }
        need(is_so[why], f"events.csv, not_counted.csv: {at} is not {why}")
    for at, (name, identifier, customer, time, value, payload) in shown.items():
        is_ours = (name, customer) == (told["event_name"], told["customer"])
        if (row := counted.get(at, others.get(at))) is None:
            is_so = not (is_ours and start <= time < end and at <= known)
        else:
            recorded = [identifier, time, dict(payload).get(told["value_key"], "")]
            is_so = is_ours and recorded == [row["identifier"], row["at"], row["string"]]
            is_so &= Fraction(value or 0) == Fraction(row["value"] or 0)
        need(is_so, f"events.csv: {at} is not there as it was recorded")

def main():
    sums = (HERE / "SHA256SUMS").read_bytes().decode().split("\n")
    need(len(sums) == len(NAMES) + 1 and not sums[-1], "SHA256SUMS: it was changed")
    for name, line in zip(NAMES, sums):
        own = hashlib.sha256((HERE / name).read_bytes()).hexdigest()
        need(f"{own}  {name}" in (line,), f"{name}: SHA256SUMS has another digest")
    told = json.loads((HERE / "figures.json").read_bytes())
    counted, others, chain = rows_of("events.csv"), rows_of("not_counted.csv"), told["chain"]
    shown, cancelled = read_chain(chain, {**others, **counted})
    check(told, counted, others, shown, cancelled)
    digest = chain["digest"]
    need(sys.argv[1:] in ([], [digest]), f"chain.csv: it leads to the digest {digest}")
    print(f"ok: {len(counted)} events make {told['value']}; {len(counted.keys() & shown)} of them")
    print(f"are shown in the chain to {chain['position']}, digest {digest}")

if __name__ == "__main__":
    try:
        main()
    except Exception as error:
        sys.exit(f"wrong: {error}")

"""What an exported explanation says of itself."""

README = """\
What usage is made of
=====================

This directory says what one figure of usage is made of, for the customer whose usage it
is. Check it with Python 3.9 or later, and with nothing else:

    python check.py

It prints "ok", or the first thing that is wrong and where. Any edit of any file is found:
SHA256SUMS has the digest of each (`sha256sum -c SHA256SUMS` compares them as well).

  figures.json       the figure, its parts, its bounds, and the ends of the chain
  events.csv         the events that count, in the order of the log
  not_counted.csv    the events that do not, within an hour of the bounds, each with the
                     reason and the position of the entry that is it
  *.parquet          the same tables; of them only the digests are checked
  chain.csv          the commits of the log from the first that holds one of the events
                     to a checkpoint, each with the SHA-256 of its content
  contents.ndjson    the content of those commits whose entries are all yours
  check.py           the checker

What is shown
-------------

Each commit of the log has a digest: SHA-256 over the digest before it, its positions, its
time, its kind and the digest of its content. Whoever knows the digest at a position, the
checkpoint, knows that nothing before it can have been changed since. So ask for
checkpoints early, keep them, and give one to the checker:

    python check.py DIGEST

Then it is shown that
  - the events make the figure, exactly, and every reason holds;
  - the events of commits that are yours alone are those that were recorded, to the last
    digit, and none of these commits has another event that should count;
  - the commits between have the positions and times that the log has.

What is not shown
-----------------

  - A commit that holds events of others stands here by the digest of its content, since
    the content is not yours to see. That an event lies in it is said, and its place is
    compared; that it is there as it is said can be checked by who may read the log. The
    checker says how many events are shown.
  - So it is not shown that no event of yours lies in such a commit beside those listed.
    You know what you sent.
  - Without a checkpoint that you have from elsewhere, the chain shows only that these
    files agree with each other.

A digest tells nothing of what it stands for, unless somebody guesses all of it.
"""

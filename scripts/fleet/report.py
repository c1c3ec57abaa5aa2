"""What has become of each event, as a table."""

import csv
import os
from dataclasses import dataclass
from datetime import date

HEADS = ("event", "clients", "there", "elsewhere touched", "reconnects", "away at most",
         "unanswered", "not heard by all", "noticed after", "room whole after")


@dataclass
class Row:
    """What has become of an event."""

    event: str
    began: float
    ended: float
    # Clients in all, those at the server that it was about, and those elsewhere that noticed.
    clients: int
    there: int
    others: int
    reconnects: int
    # The longest time that a client was without a connection, in seconds.
    away: float | None
    # When HAProxy had noticed, and from the first client's ending on when all were in the room.
    noticed: float | None
    whole: float
    # Messages that were said and did not come back.
    unanswered: int
    # Messages of the room that somebody who was there has not heard.
    unheard: int = 0

    def cells(self):
        def seconds(value, digits=1):
            return "" if value is None else f"{value:.{digits}f} s"

        return (self.event, self.clients, self.there, self.others, self.reconnects,
                seconds(self.away, 2), self.unanswered, self.unheard, seconds(self.noticed),
                seconds(self.whole))


def show(rows):
    lines = [HEADS, *(row.cells() for row in rows)]
    widths = [max(len(str(line[at])) for line in lines) for at in range(len(HEADS))]
    for line in lines:
        print("  ".join(str(cell).ljust(width) for cell, width in zip(line, widths)).rstrip())


def record(path, rows):
    """Adds the rows to a file, with the day in front."""
    new = not os.path.exists(path)
    with open(path, "a", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        if new:
            out.writerow(("date", *HEADS))
        out.writerows((date.today(), *row.cells()) for row in rows)

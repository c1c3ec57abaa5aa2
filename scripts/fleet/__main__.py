"""A fleet behind HAProxy, and what its clients see of faults; see scripts/fleet.sh."""

import asyncio
import signal
import subprocess
import sys
import time
from datetime import date

import report
from clients import CLOSE_GOING_AWAY, Crowd, until
from machines import Process, Redis
from processes import VISITORS, Fleet, Visitors, peers

ECHOES, MEMBERS, SPEAKERS, JOINERS = 150, 90, 10, 60
IDLE = 4000
# How close to a message its speaker, or who should hear it, may come or go.
MARGIN = 2
# How long members of a process that has died may still be seen, and the time to ask.
GHOSTS = 12


def check(what, holds, more=""):
    print(f"{'ok  ' if holds else 'FAIL'} {what}{f' ({more})' if more else ''}", flush=True)
    if not holds:
        raise SystemExit(1)


class Play:
    """One fault after the other."""

    def __init__(self, fleet, crowd):
        self.fleet, self.crowd = fleet, crowd
        self.rows = []

    def at(self, name):
        """The clients whose connection is at that server: its log has their addresses."""
        here = peers(self.fleet.servers[name])
        return {client for client in self.crowd.clients if client.life.address in here}

    def touched(self, began):
        return {client for client in self.crowd.clients if client.endings_since(began)}

    async def whole(self):
        """Until each server says that all members are in the room.

        One member at each is asked who does not speak: a room hears each ten times a second only."""
        members = self.crowd.members
        asked = []
        for name in self.fleet.servers:
            here = self.at(name).intersection(members)
            asked += sorted(here, key=lambda member: member.number)[-1:]
        began = time.monotonic()
        while True:
            for member in asked:
                member.ask_who()
            await until(lambda: all(m.count is not None for m in asked), 10, "`who` is answered")
            seen = [member.count for member in asked]
            if all(count == len(members) for count in seen):
                return
            assert time.monotonic() - began < GHOSTS, f"{seen} instead of {len(members)} members"
            await asyncio.sleep(0.3)

    async def judge(self, event, began, there, code=None, noticed=None):
        """What has become of the clients since `began`, when the server failed or left where those
        in `there` were."""
        await until(lambda: there <= self.touched(began), 10, f"{event}: all {len(there)} hear of it")
        await self.crowd.settled()
        clients, touched = self.crowd.clients, self.touched(began)
        endings = [life for client in touched for life in client.endings_since(began)]
        failed = [why for client in clients for at, why in client.refusals if at >= began]
        away = [after.opened - before.ended for client in touched
                for before, after in zip(client.lives, client.lives[1:]) if before.ended >= began]
        since = min((life.ended for life in endings), default=began)
        await self.whole()
        wrong = []
        if touched - there:
            wrong.append(f"{len(touched - there)} connections elsewhere ended too")
        if len(endings) > len(touched):
            wrong.append("some ended twice")
        if failed:
            wrong.append(f"{len(failed)} attempts failed: {failed[0]}")
        if any(life.code != code for life in endings):
            wrong.append(f"ended with {set(life.code for life in endings)}, not {code}")
        how = f"get Close {code}" if code else "are cut off"
        who = f"all {len(there)} who were there {how}, and come back at the first try; others"
        check(f"{event}: {who if there else 'clients'} notice nothing", not wrong, "; ".join(wrong))
        now = time.monotonic()
        self.rows.append(report.Row(event, began, now, len(clients), len(there), len(touched - there),
                                    len(endings), max(away, default=None), noticed, now - since,
                                    sum(life.lost for life in endings)))
        return endings

    async def kill(self, name):
        there, began = self.at(name), time.monotonic()
        server = self.fleet.servers.pop(name)
        server.end(signal.SIGKILL)
        noticed = await self.fleet.wait_for(name, False)
        await self.judge(f"{name} is killed", began, there, noticed=noticed)
        await self.start_again(name, server)

    async def start_again(self, name, server):
        """As systemd would."""
        began = time.monotonic()
        await asyncio.to_thread(self.fleet.start, name, server.address)
        noticed = await self.fleet.wait_for(name, True)
        await self.judge(f"{name} is started again", began, set(), noticed=noticed)

    async def drain(self, name):
        there, began = self.at(name), time.monotonic()
        before = self.fleet.balancer.servers()[name]
        server = self.fleet.servers.pop(name)
        server.send(signal.SIGTERM)
        # They come there first, because it has the fewest.
        new = await self.crowd.join(3, 3)
        noticed = await self.fleet.wait_for(name, False)
        after = self.fleet.balancer.servers()[name]
        again = int(after["wredis"]) - int(before["wredis"])
        check(f"{name} drains: who comes before HAProxy has noticed is sent on to another", again > 0,
              f"{again} times")
        check(f"{name} drains: HAProxy notices before anybody has to go",
              not self.touched(began), f"{noticed:.1f} s of {self.fleet.delay} s")
        new += await self.crowd.join(3, 3)
        status = await asyncio.to_thread(server.child.wait, 20)
        check(f"{name} drains: it ends with 0", status == 0, str(status))
        endings = await self.judge(f"{name} drains", began, there, CLOSE_GOING_AWAY, noticed)
        first = min(life.ended for life in endings) - began
        check(f"{name} drains: nobody has to go before the delay is over",
              first >= self.fleet.delay, f"{first:.1f} s")
        were = peers(server, ended=True)
        check(f"{name} drains: nobody new gets there",
              self.fleet.balancer.servers()[name]["stot"] == after["stot"]
              and not any(client.life.address in were for client in new))
        await self.start_again(name, server)

    async def add(self):
        """Four comes, by the commands of the document."""
        began = time.monotonic()
        server = await asyncio.to_thread(self.fleet.start, "four", "127.0.0.14:0")
        self.fleet.balancer.addresses["127.0.0.1:8084"] = server.address
        self.fleet.run("add")
        noticed = await self.fleet.wait_for("four", True)
        await self.judge("four is added", began, set(), noticed=noticed)
        await self.come("four")
        print(self.fleet.run("look").strip())

    async def leave(self):
        """Four goes, by the commands of the document."""
        there, began = self.at("four"), time.monotonic()
        server = self.fleet.servers.pop("four")
        self.fleet.run("leave", PID=server.child.pid)
        status = await asyncio.to_thread(server.child.wait, 20)
        check("four is taken out: it ends with 0", status == 0, str(status))
        await self.judge("four is taken out", began, there, CLOSE_GOING_AWAY)
        self.fleet.run("remove")
        check("four is taken out: HAProxy has forgotten it",
              "four" not in self.fleet.balancer.servers())

    async def come(self, name):
        """More clients, who come to the server that has none yet."""
        before = {name: len(self.at(name)) for name in self.fleet.servers}
        new = await self.crowd.join(JOINERS // 2, JOINERS // 2)
        got = {name: len(self.at(name).intersection(new)) for name in before}
        full = [name for name in before if before[name] > min(before.values()) + len(new)]
        check(f"{len(new)} more come to those who have fewest, {name} among them",
              got[name] and sum(got[name] for name in full) <= VISITORS // 2, f"{before}, then {got}")

    async def lose_bus(self):
        """Redis is killed and started again."""
        began = time.monotonic()
        self.fleet.redis.end()
        for server in self.fleet.servers.values():
            await asyncio.to_thread(server.wait_for_bus, False)
        self.fleet.redis = Redis(self.fleet.folder, self.fleet.redis.port).wait()
        for server in self.fleet.servers.values():
            await asyncio.to_thread(server.wait_for_bus, True)
        await self.judge("Redis is killed, and started again", began, set())


async def everything(binary, folder, root, record=""):
    fleet = Fleet(binary, folder, root)
    for name in fleet.servers:
        await fleet.wait_for(name, True)
    crowd = Crowd(fleet.balancer.port)
    await crowd.join(ECHOES, MEMBERS, SPEAKERS)
    play = Play(fleet, crowd)
    spread = {name: fleet.balancer.open_at(name) for name in fleet.servers}
    check(f"{len(crowd.clients)} clients come, and no server has more of them than the others",
          max(spread.values()) - min(spread.values()) <= 1, str(spread))
    known = sum(len(play.at(name)) for name in fleet.servers)
    check("servers know the addresses of their clients", known == len(crowd.clients), str(known))
    await play.whole()
    visitors = Visitors(binary, fleet.balancer.port)
    await play.kill("two")
    await play.come("two")
    await play.drain("two")
    await play.add()
    await play.leave()
    await play.lose_bus()
    # So that all that was said is looked at.
    await asyncio.sleep(MARGIN)
    visits = visitors.report()
    faults = [fault for client in crowd.clients for fault in client.faults]
    check("echoes are what was said, and nobody hears a message twice or out of order", not faults,
          "; ".join(faults[:3]))
    for row in play.rows:
        row.unheard = crowd.unheard(row.began, row.ended, MARGIN)
    said = sum(one.back for one in crowd.room.values())
    # What is said in an outage of the bus is heard at its own server.
    check("who is in the room hears what is said there",
          not any(row.unheard for row in play.rows[:-1]), f"{said} messages")
    lost = visits["connections"]["lost"]
    check("visitors all get in, and those who were not at one that died get their echo",
          visits["connections"]["failed"] == 0 and lost <= VISITORS,
          f"{visits['messages']} visits, {lost} lost, {visits['errors']}")
    await crowd.leave()
    check("each command of the document was run", not fleet.blocks, ", ".join(fleet.blocks))
    print()
    report.show(play.rows)
    if record:
        report.record(record, play.rows)
        each = await idle(fleet, binary)
        print(f"HAProxy takes {each} bytes of memory for each WebSocket at rest")
        with open(f"{root}/benches/record/memory.csv", "a", encoding="utf-8") as file:
            file.write(f'{date.today()},"HAProxy, {IDLE} idle WebSockets",{each},B,\n')


async def idle(fleet, binary):
    """Bytes of memory that HAProxy takes for a WebSocket that is open and silent."""
    def anonymous():
        with open(f"/proc/{fleet.balancer.child.pid}/status", encoding="ascii") as file:
            return int(dict(line.split(":", 1) for line in file)["RssAnon"].split()[0]) * 1024

    before = anonymous()
    load = Process([binary, "load", f"ws://127.0.0.1:{fleet.balancer.port}/", "--idle", "--touch",
                    "1", "-c", str(IDLE), "--connect-rate", "2000", "--warmup", "0", "--quiet",
                    "--duration", "1m"], stdout=subprocess.DEVNULL)
    await until(lambda: sum(fleet.balancer.open_at(name) for name in fleet.servers) >= IDLE, 30,
                f"{IDLE} idle WebSockets")
    each = round((anonymous() - before) / IDLE)
    load.end()
    return each


if __name__ == "__main__":
    try:
        asyncio.run(everything(*sys.argv[1:]))
    except AssertionError as error:
        check(str(error), False)
    finally:
        Process.end_all()

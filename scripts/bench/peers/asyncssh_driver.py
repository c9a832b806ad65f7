# The process of the asyncssh client: the protocol of protocol.ts. One connection a host, dialed by whoever comes first.
import asyncio
import json
import resource
import sys
import time
import warnings

warnings.simplefilter("ignore")
import asyncssh  # noqa: E402

# As Node and Go do for themselves: a thousand connections are a thousand open files.
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

target = json.loads(sys.argv[1])
connections = {}


async def connect():
    return await asyncssh.connect(
        target["address"],
        port=target["port"],
        username=target["user"],
        client_keys=[target["identity"]],
        known_hosts=None,
        config=None,
        agent_path=None,
        tcp_keepalive=True,
    )


async def shared(host):
    if host not in connections:
        connections[host] = asyncio.ensure_future(connect())
    return await connections[host]


async def release():
    for dialed in connections.values():
        try:
            connection = await dialed
            connection.close()
            await connection.wait_closed()
        except Exception:
            pass
    connections.clear()


async def run(ask):
    latencies, errors = [], []
    numbers = iter(range(ask["count"]))

    async def worker():
        for number in numbers:
            connection = None
            began = time.perf_counter()
            try:
                connection = await (connect() if ask["fresh"] else shared(number % ask["hosts"]))
                await connection.run(ask["command"], check=True)
                latencies.append((time.perf_counter() - began) * 1000)
            except Exception as error:
                errors.append(f"{type(error).__name__}: {error}")
            if ask["fresh"] and connection is not None:
                connection.close()
                await connection.wait_closed()

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(min(ask["concurrency"], ask["count"]))))
    answer = {"latenciesMs": latencies, "failed": len(errors), "wallMs": (time.perf_counter() - began) * 1000}
    return {**answer, "error": errors[0]} if errors else answer


async def main():
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        ask = json.loads(line)
        if "release" in ask:
            await release()
            answer = {"latenciesMs": [], "failed": 0, "wallMs": 0}
        else:
            answer = await run(ask)
        print(json.dumps(answer), flush=True)
    await release()


asyncio.run(main())

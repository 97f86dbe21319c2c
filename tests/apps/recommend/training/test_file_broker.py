"""The message broker made of files."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty

import pytest
from kombu import Connection, Queue

from recsys.file_broker import Transport


@pytest.fixture
def broker(tmp_path: Path) -> Connection:
    """A connection to a broker of the test's own."""
    folders = {
        "data_folder_in": str(tmp_path),
        "data_folder_out": str(tmp_path),
        "control_folder": f"{tmp_path}/control",
    }
    return Connection(transport=Transport, transport_options=folders)


def send(broker: Connection, number: int, queue: str = "train") -> None:
    with broker.clone() as connection:
        connection.Producer().publish(number, routing_key=queue, declare=[Queue(queue)])


def test_messages_arrive_once_and_in_order_and_only_in_their_queue(broker):
    for number in range(3):
        send(broker, number)
    send(broker, 99, queue="refresh")
    with broker.SimpleQueue("train") as queue:
        received = [queue.get(timeout=2) for _ in range(3)]
        for message in received:
            message.ack()
        with pytest.raises(Empty):
            queue.get(timeout=0.1)
    assert [message.payload for message in received] == [0, 1, 2]


def test_many_readers_and_writers_lose_and_repeat_nothing(broker):
    def read(_: int) -> list[int]:
        got = []
        with broker.clone() as connection, connection.SimpleQueue("train") as queue:
            while True:
                try:
                    message = queue.get(timeout=2)
                except Empty:
                    return got
                message.ack()
                got.append(message.payload)

    with ThreadPoolExecutor(8) as pool:
        readers = [pool.submit(read, n) for n in range(4)]
        list(pool.map(lambda number: send(broker, number), range(100)))
        received = [number for reader in readers for number in reader.result()]
    assert sorted(received) == list(range(100))


def test_a_message_in_the_making_is_not_seen(broker, tmp_path: Path):
    send(broker, 1)
    (tmp_path / ".00000_half.train.msg").write_text('{"bo')
    with broker.SimpleQueue("train") as queue:
        message = queue.get(timeout=2)
        message.ack()
        assert message.payload == 1
        with pytest.raises(Empty):
            queue.get(timeout=0.1)

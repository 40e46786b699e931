"""A producer that writes what the Python client cannot: a record with a header whose name is no text, as clients in C or Go may.

It calls the librdkafka that confluent-kafka brings, past its Python layer.
"""

import ctypes

from confluent_kafka import cimpl

_PRODUCER = 0
_TOPIC, _PARTITION, _VALUE, _FLAGS, _HEADER = 1, 3, 4, 7, 9
_COPY = 2


class _Bytes(ctypes.Structure):
    _fields_ = [("start", ctypes.c_char_p), ("size", ctypes.c_size_t)]


class _Header(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("value", ctypes.c_char_p), ("size", ctypes.c_ssize_t)]


class _Any(ctypes.Union):
    _fields_ = [("text", ctypes.c_char_p), ("number", ctypes.c_int32), ("flags", ctypes.c_int), ("bytes", _Bytes)]
    _fields_ += [("header", _Header), ("padding", ctypes.c_char * 64)]


class _Part(ctypes.Structure):
    """librdkafka's `rd_kafka_vu_t`."""

    _fields_ = [("kind", ctypes.c_int), ("what", _Any)]


def produce(bootstrap: str, topic: str, value: bytes, header: bytes) -> None:
    """Write one record to partition 0, with a header of this name, and wait until the broker has it."""
    kafka = ctypes.CDLL(cimpl.__file__)
    for function in (kafka.rd_kafka_conf_new, kafka.rd_kafka_new, kafka.rd_kafka_produceva):
        function.restype = ctypes.c_void_p
    settings, why = ctypes.c_void_p(kafka.rd_kafka_conf_new()), ctypes.create_string_buffer(512)
    assert kafka.rd_kafka_conf_set(settings, b"bootstrap.servers", bootstrap.encode(), why, len(why)) == 0, why.value
    producer = ctypes.c_void_p(kafka.rd_kafka_new(_PRODUCER, settings, why, len(why)))
    assert producer.value is not None, why.value
    parts = (_Part * 5)(
        _Part(_TOPIC, _Any(text=topic.encode())),
        _Part(_PARTITION, _Any(number=0)),
        _Part(_VALUE, _Any(bytes=_Bytes(value, len(value)))),
        _Part(_FLAGS, _Any(flags=_COPY)),
        _Part(_HEADER, _Any(header=_Header(header, b"1", 1))),
    )
    assert not kafka.rd_kafka_produceva(producer, parts, ctypes.c_size_t(len(parts)))
    assert kafka.rd_kafka_flush(producer, 10_000) == 0
    kafka.rd_kafka_destroy(producer)

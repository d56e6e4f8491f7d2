"""Reads event files by their format alone, as written down by TensorFlow:

  events.py FOLDER         each point: tag, step and value, in the order of files
  events.py --tensorboard FOLDER   the same, as TensorBoard's own reader has it
  events.py --table FILE           the same, as the table `metrics` has it

A damaged file or a torn record within one ends it with status 1; a torn last
record is passed over, as TensorBoard does.
"""
import os
import struct
import sys


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(path):
    data = open(path, 'rb').read()
    at = 0
    while at < len(data):
        head = data[at:at + 8]
        size = struct.unpack('<Q', head)[0] if len(head) == 8 else 1 << 40
        if at + 16 + size > len(data):
            return
        body = data[at + 12:at + 12 + size]
        if struct.unpack('<I', data[at + 8:at + 12])[0] != masked(head) or \
                struct.unpack('<I', data[at + 12 + size:at + 16 + size])[0] != masked(body):
            sys.exit(path + ': a checksum is wrong at byte %d' % at)
        yield body
        at += 16 + size


def fields(data):
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
    while at < len(data):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
            continue
        size = {1: 8, 5: 4}.get(key & 7) or varint()
        yield key >> 3, data[at:at + size]
        at += size


def points(folder):
    for name in sorted(os.listdir(folder)):
        for number, record in enumerate(records(os.path.join(folder, name))):
            event = dict(fields(record))
            if number == 0 and event.get(3) != b'brain.Event:2':
                sys.exit(name + ': it does not begin with its version')
            if 5 in event:
                for _, value in fields(event[5]):
                    value = dict(fields(value))
                    yield value[1].decode(), event.get(2, 0), struct.unpack('<f', value[2])[0]


def tensorboard_points(folder):
    from tensorboard.backend.event_processing import event_accumulator
    reader = event_accumulator.EventAccumulator(folder, size_guidance={event_accumulator.SCALARS: 0})
    reader.Reload()
    for tag in reader.Tags()['scalars']:
        for event in reader.Scalars(tag):
            yield tag, event.step, event.value


def table_points(path):
    for line in open(path):
        checkpoint, *metrics = line.rstrip('\n').split('\t')
        for metric in metrics:
            name, value = metric.split('=')
            value = {'True': 1, 'False': 0}.get(value, value)
            yield name, int(checkpoint), struct.unpack('<f', struct.pack('<f', float(value)))[0]


if __name__ == '__main__':
    readers = {'--tensorboard': tensorboard_points, '--table': table_points}
    for tag, step, value in readers.get(sys.argv[1], points)(sys.argv[-1]):
        print('%s\t%d\t%.9g' % (tag, step, value))

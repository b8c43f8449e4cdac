import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { type Answer, AnswerReader } from './answer-reader.ts';

const head = 'HTTP/1.1 200 OK\r\nServer: x\r\n';
const chunked = `${head}transfer-encoding: chunked\r\n\r\n`;

/** Every answer in what one connection brings, `pieceBytes` at a time. */
function answersOf(answers: readonly string[], pieceBytes: number): (Answer | undefined)[] {
  const reader = new AnswerReader();
  return answers.map((answer) => {
    const bytes = Buffer.from(answer, 'latin1');
    let read: Answer | undefined;
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      equal(read, undefined, 'an answer ended before its last byte');
      read = reader.take(bytes.subarray(at, at + pieceBytes));
    }
    return read;
  });
}

test('answers with a length and in chunks are read one after another, however they are cut into packets', () => {
  const body = '<a>\r\n\r\n0\r\n\r\n</a>';
  const answers = [
    `${head}Content-Length: ${body.length}\r\n\r\n${body}`,
    `${chunked}5\r\n<a>\r\n\r\n00A;name=value\r\n0\r\n\r\n56789\r\n0\r\n\r\n`,
    'HTTP/1.1 204 No Content\r\n\r\n',
    `${chunked}0\r\n\r\n`,
    `${head}content-length:0\r\n\r\n`,
    'HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\nx: y\r\n\r\n1f40\r\n' +
      `${'x'.repeat(8000)}\r\n0 \r\nx-trailer: 1\r\nx-other: 2\r\n\r\n`,
    `${head}content-length: 3\r\n\r\nabc`,
  ];
  const read = [
    { status: 200, bytes: body.length },
    { status: 200, bytes: 15 },
    { status: 204, bytes: 0 },
    { status: 200, bytes: 0 },
    { status: 200, bytes: 0 },
    { status: 404, bytes: 8000 },
    { status: 200, bytes: 3 },
  ];
  for (const pieceBytes of [1, 2, 3, 5, 7, 64, 1000, 100_000])
    deepEqual(answersOf(answers, pieceBytes), read);
});

test('what is no answer is refused instead of waited for', () => {
  const refused: readonly (readonly [string, RegExp])[] = [
    ['SSH-2.0-x\r\n\r\n\r\n', /not the head of an answer/],
    [`${head}\r\n`, /no length in the answer/],
    [`${head}content-length: 1x\r\n\r\n`, /no length in the answer/],
    [`${head}content-length: 1\r\n\r\nab`, /1 bytes after the answer/],
    [`${chunked}0\r\n\r\nab`, /2 bytes after the answer/],
    [`${chunked}zz\r\n`, /not the size of a chunk: zz/],
    [`${chunked}\r\n`, /not the size of a chunk/],
    [`${chunked}1\r\nab\r\n`, /a chunk is longer than its size: b/],
    ['x'.repeat(100_000), /no end of head/],
    [`${chunked}${'1'.repeat(100_000)}`, /no end of chunk-size/],
  ];
  for (const [answer, error] of refused)
    throws(() => answersOf([answer], 100), error, answer.slice(0, 200));
});

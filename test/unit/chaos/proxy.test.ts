/** Real sockets through a proxy: what passes, what a cut leaves behind on either side, what a blackhole holds back. */
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mkdtemp, rm } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Proxy } from '../../chaos/fleet/proxy.ts';
import { until } from '../../support/until.ts';

/** Collects what it gets; how it ended. */
class End {
  readonly socket: Socket;
  got = '';
  ended = false;
  closed = false;
  error = '';

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('utf8').on('data', (text: string) => (this.got += text));
    socket.on('end', () => (this.ended = true));
    socket.on('close', () => (this.closed = true));
    socket.on('error', (error: NodeJS.ErrnoException) => (this.error = error.code ?? error.message));
  }
}

let proxy: Proxy;
let served: End[];
let stopServer: () => Promise<void>;
const clients: End[] = [];

async function serve(at: number | string): Promise<number> {
  served = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => served.push(new End(socket)));
  const listening = Promise.withResolvers<void>();
  if (typeof at === 'string') server.listen(at, listening.resolve);
  else server.listen(at, '127.0.0.1', listening.resolve);
  await listening.promise;
  stopServer = async () => {
    for (const { socket } of served) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function dial(): End {
  const client = new End(connect(proxy.port, '127.0.0.1'));
  clients.push(client);
  return client;
}

async function pair(): Promise<[client: End, server: End]> {
  const before = served.length;
  const client = dial();
  const server = await until('the connection to arrive', () => served[before]);
  return [client, server];
}

beforeEach(async () => {
  proxy = new Proxy();
  await proxy.start(await serve(0));
});
afterEach(async () => {
  await proxy.stop();
  for (const { socket } of clients.splice(0)) socket.destroy();
  await stopServer();
});

test('bytes pass both ways, more than any buffer holds, and ends of streams too', async () => {
  const [client, server] = await pair();
  const much = 'x'.repeat(5_000_000);
  client.socket.end(much);
  await until('all to arrive', () => server.ended);
  expect(server.got.length).toBe(much.length);
  server.socket.end('bye');
  await until('the answer', () => client.closed);
  expect(client).toMatchObject({ got: 'bye', ended: true, error: '' });
  await until('the pair to be forgotten', () => proxy.connections === 0);
});

test('a target that does not listen resets the client; once it listens again, connections pass', async () => {
  const port = ((served = []), await serve(0));
  await stopServer();
  await proxy.stop();
  await proxy.start(port);
  const refused = dial();
  await until('the reset', () => refused.closed);
  expect(refused.error).toBe('ECONNRESET');
  await serve(port);
  const [client, server] = await pair();
  client.socket.write('hello');
  await until('the bytes', () => server.got === 'hello');
});

test('a unix socket may be the target', async () => {
  await proxy.stop();
  await stopServer();
  const folder = await mkdtemp(join(tmpdir(), 'dibs-proxy-'));
  try {
    const path = join(folder, 'socket');
    await serve(path);
    await proxy.start(path);
    const [client, server] = await pair();
    client.socket.write('hello');
    await until('the bytes', () => server.got !== '');
    expect(server.got).toBe('hello');
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('cut: every connection is reset on both sides, and new ones pass', async () => {
  const pairs = [await pair(), await pair()];
  proxy.cut();
  for (const end of pairs.flat()) {
    await until('the reset', () => end.closed);
    expect(end.error).toBe('ECONNRESET');
  }
  const [client, server] = await pair();
  client.socket.write('again');
  await until('the bytes', () => server.got === 'again');
});

test('cut after a request: the target has it whole, no client gets an answer', async () => {
  const [client, server] = await pair();
  const [other, otherServer] = await pair();
  server.socket.on('data', () => server.socket.write('answer'));
  proxy.cutAfterRequest();
  client.socket.write('request');
  await until('both clients to be cut', () => client.closed && other.closed);
  await until('both servers to be cut', () => server.ended && otherServer.closed);
  expect(server.got).toBe('request');
  expect(client).toMatchObject({ got: '', error: 'ECONNRESET' });
  expect(proxy.connections).toBe(0);
  const [next, nextServer] = await pair();
  next.socket.write('next');
  await until('the next request to pass', () => nextServer.got === 'next');
});

test('cut before a request: nobody has it', async () => {
  const [client, server] = await pair();
  proxy.cutBeforeRequest();
  client.socket.write('request');
  await until('both to be cut', () => client.closed && server.closed);
  expect(server.got).toBe('');
  expect(client.error).toBe('ECONNRESET');
});

test('an armed cut can be taken back', async () => {
  const [client, server] = await pair();
  proxy.cutBeforeRequest();
  expect(proxy.disarm()).toBe(true);
  expect(proxy.disarm()).toBe(false);
  client.socket.write('request');
  await until('the request to pass', () => server.got === 'request');
});

test('blackhole: nothing passes either way, nothing is lost, new connections are silent', async () => {
  const [client, server] = await pair();
  const [open, openServer] = await pair();
  proxy.blackhole(true);
  client.socket.write('up');
  server.socket.write('down');
  const late = dial();
  late.socket.write('late');
  await until('the late connection to be accepted', () => proxy.connections === 3);
  // A connection through another proxy to the same server shows that time enough has passed for bytes to travel.
  const aside = new Proxy();
  await aside.start(server.socket.localPort ?? 0);
  const witness = new End(connect(aside.port, '127.0.0.1'));
  clients.push(witness);
  witness.socket.write('witness');
  await until('the witness', () => served.some(({ got }) => got === 'witness'));
  await aside.stop();
  expect([client.got, server.got, openServer.closed, late.closed]).toEqual(['', '', false, false]);
  proxy.blackhole(false);
  await until('held bytes to be delivered', () => client.got === 'down' && server.got === 'up');
  await until('the late ones too', () => served.some(({ got }) => got === 'late'));
  open.socket.end();
  await until('ends to pass again', () => openServer.ended);
});

/**
 * Many agents in one process, each with a TCP connection of its own: the wire of `AgentService.Session`, and nothing behind it. They
 * take no jobs; they say hello, state credits, and send heartbeats.
 */
import http2 from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { once } from 'node:events';
import type { AgentMessage__Output } from '../../proto/gen/index.ts';
import { codec } from '../../proto/gen/load.ts';
import type { Plain } from '../../proto/gen/load.ts';
import { serveRole } from '../support/role.ts';

export interface SwarmSetup {
  readonly address: string;
  /** Number of the first agent. */
  readonly first: number;
  readonly count: number;
  readonly heartbeatMs: number;
}

/** Connections that are made at once. */
const AT_ONCE = 50;
const MESSAGE = codec<Plain<AgentMessage__Output>>('dibs.v1.AgentMessage');
/** A gRPC message begins with a zero and its length. */
const FRAME_HEAD = 5;

interface Agent {
  readonly session: ClientHttp2Session;
  readonly stream: ClientHttp2Stream;
  timer: NodeJS.Timeout | undefined;
}

await serveRole(async ({ address, first, count, heartbeatMs }: SwarmSetup) => {
  const agents: Agent[] = [];
  let ended = 0;
  const startedAt = performance.now();
  let next = first;
  const joiner = async (): Promise<void> => {
    while (next < first + count) agents.push(await join(address, next++, () => ended++));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, joiner));
  const joinedMs = performance.now() - startedAt;
  // Each at a moment of its own.
  for (const [index, agent] of agents.entries()) {
    const beat = (): void => void agent.stream.write(frame({ heartbeat: { held: [], throughput: [] } }));
    agent.timer = setTimeout(
      () => {
        beat();
        agent.timer = setInterval(beat, heartbeatMs);
      },
      (heartbeatMs * index) / agents.length,
    );
  }
  return {
    ready: { joinedMs },
    commands: { ended: () => Promise.resolve(ended) },
    stop: () => {
      for (const { session, timer } of agents) {
        clearTimeout(timer);
        session.destroy();
      }
    },
  };
});

async function join(address: string, number: number, onEnd: () => void): Promise<Agent> {
  const session = http2.connect(`http://${address}`);
  session.on('error', () => {});
  const stream = session.request({
    ':method': 'POST',
    ':path': '/dibs.v1.AgentService/Session',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.on('error', () => {});
  stream.on('close', onEnd);
  stream.write(
    frame({
      hello: {
        agentId: `agent_swarm-${number}`,
        name: `swarm-${number}`,
        version: 'bench',
        bootId: `boot_${number}`,
        protocolRevision: 1,
        held: [],
        advertisement: {
          executors: [
            { type: `bench.kind-${number % 8}`, version: '1', concurrency: 4, isolation: 'process' },
          ],
          labels: { rack: String(number % 40) },
          hardware: { platform: 'linux', arch: 'x64', cpuCores: 8, memoryBytes: 2 ** 35, gpus: [] },
          slots: 4,
        },
      },
      credits: { total: 4, byType: {}, revision: 1, offersSeen: 0 },
    }),
  );
  // Its welcome.
  await once(stream, 'data');
  stream.resume();
  return { session, stream, timer: undefined };
}

function frame(message: Plain<AgentMessage__Output>): Buffer {
  const body = MESSAGE.encode(message);
  const head = Buffer.alloc(FRAME_HEAD);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

/**
 * AgentService: one bidirectional stream per agent.
 *
 * Invariants: the first message is hello, anything else is refused; messages that come before the welcome is out wait
 * for it, up to a bound; when the stream ends, for whatever reason, the session leaves the fleet once.
 */
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { AgentMessage__Output, CoordinatorMessage__Output } from '../../proto/gen/index.ts';
import type { AgentHandlers, Plain } from '../../proto/gen/load.ts';
import { toServiceError } from '../../runtime/grpc-errors.ts';
import { newId } from '../../runtime/ids.ts';
import { DibsError } from '../../sdk/common/errors.ts';
import { Outbox } from '../agents/outbox.ts';
import type { Session } from '../agents/session.ts';
import type { Greeter } from '../agents/greeter.ts';
import { slowReaderError } from './handling.ts';
import type { Frame } from './handling.ts';

export interface AgentServiceParts {
  readonly frame: Frame;
  readonly greeter: Greeter;
}

/** Messages that may come before the welcome is out. */
const MAX_EARLY = 1000;

type Stream = ServerDuplexStream<AgentMessage__Output, Plain<CoordinatorMessage__Output>>;

export function agentHandlers({ frame, greeter }: AgentServiceParts): AgentHandlers {
  return {
    session: (stream: Stream) => {
      const outbox = new Outbox(stream, {
        patienceMs: frame.slowReaderMs,
        onStuck: () => refuse(slowReaderError()),
      });
      let session: Session | undefined;
      let greeting = false;
      const early: AgentMessage__Output[] = [];
      let over = false;

      const leave = (): void => {
        if (over) return;
        over = true;
        outbox.close();
        greeter.closed(outbox);
        if (session !== undefined) greeter.leave(session);
      };
      const refuse = (error: unknown): void => {
        if (!over) stream.emit('error', toServiceError(error, frame.log));
        leave();
      };

      const greet = async (message: AgentMessage__Output): Promise<void> => {
        if (!message.hello)
          throw new DibsError('PROTOCOL_VIOLATION', 'The first message must be a hello with an agent_id.');
        const link = { outbox, isOver: () => over, fail: refuse };
        const made = await greeter.greet(newId('session'), message.hello, link);
        if (over) {
          greeter.leave(made);
          return;
        }
        session = made;
        session.receive({ ...message, hello: null });
        for (const waiting of early.splice(0)) session.receive(waiting);
      };

      stream.on('data', (message: AgentMessage__Output) => {
        if (over) return;
        try {
          if (session !== undefined) session.receive(message);
          else if (greeting && early.length < MAX_EARLY) early.push(message);
          else if (greeting)
            throw new DibsError('PROTOCOL_VIOLATION', `More than ${MAX_EARLY} messages before the welcome.`);
          else {
            greeting = true;
            frame.authenticate(stream.metadata);
            greet(message).catch(refuse);
          }
        } catch (error) {
          refuse(error);
        }
      });
      stream.on('end', () => {
        leave();
        stream.end();
      });
      stream.on('cancelled', leave);
      stream.on('error', leave);
      stream.on('close', leave);
    },
  };
}

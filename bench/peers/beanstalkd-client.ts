/**
 * As much of beanstalkd's protocol as a bench needs. Commands of a connection are answered in order, so they may be sent ahead of
 * the answers.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';

export interface Reply {
  /** First line, without the line end. */
  readonly line: string;
  /** What follows RESERVED; else empty. */
  readonly body: string;
}

const END = '\r\n';
const RESERVED = 'RESERVED ';
/** Time a reserved job has until it goes back, seconds. */
const TTR_S = 600;

export class BeanstalkdConnection {
  readonly #socket: Socket;
  readonly #waiting: { readonly resolve: (reply: Reply) => void; readonly reject: (error: Error) => void }[] =
    [];
  #read = 0;
  #buffer = '';
  #out = '';
  #scheduled = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (chunk) => this.#take(chunk as unknown as string));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('beanstalkd has closed the connection')));
  }

  static async open(path: string): Promise<BeanstalkdConnection> {
    const socket = connect(path);
    await once(socket, 'connect');
    return new BeanstalkdConnection(socket);
  }

  /** What one turn has to say goes out as one write. */
  send(command: string): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#out += command + END;
      if (this.#scheduled) return;
      this.#scheduled = true;
      queueMicrotask(() => {
        this.#scheduled = false;
        this.#socket.write(this.#out, 'latin1');
        this.#out = '';
      });
    });
  }

  async put(body: string): Promise<void> {
    const { line } = await this.send(`put 0 0 ${TTR_S} ${body.length}${END}${body}`);
    if (!line.startsWith('INSERTED')) throw new Error(`put: ${line}`);
  }

  /** Reserves, has `work` done, deletes and reserves again in one trip; ends with the connection. */
  async serve(work: (body: string) => Promise<void> | void): Promise<void> {
    let next = this.send('reserve');
    for (;;) {
      const { line, body } = await next;
      if (!line.startsWith(RESERVED)) throw new Error(`reserve: ${line}`);
      await work(body);
      const deleted = this.send(`delete ${line.split(' ')[1]}`);
      next = this.send('reserve');
      deleted.catch(() => {});
      const answer = await deleted;
      if (answer.line !== 'DELETED') throw new Error(`delete: ${answer.line}`);
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: string): void {
    this.#buffer = this.#read === this.#buffer.length ? chunk : this.#buffer.slice(this.#read) + chunk;
    this.#read = 0;
    for (;;) {
      const end = this.#buffer.indexOf(END, this.#read);
      if (end < 0) return;
      const line = this.#buffer.slice(this.#read, end);
      let body = '';
      let after = end + END.length;
      if (line.startsWith(RESERVED)) {
        const size = Number(line.slice(line.lastIndexOf(' ') + 1));
        if (this.#buffer.length < after + size + END.length) return;
        body = this.#buffer.slice(after, after + size);
        after += size + END.length;
      }
      this.#read = after;
      this.#waiting.shift()?.resolve({ line, body });
    }
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}

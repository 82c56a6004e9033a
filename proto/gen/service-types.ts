/**
 * Types of the services as our codecs really work, derived from the generated ones so that they cannot drift.
 *
 * The generated input types are those of proto-loader: they take enum names and Long objects, which our codecs do not.
 * `Plain<T>` is what may be sent where `T` is what is received.
 */
import type * as grpc from '@grpc/grpc-js';
import type { MethodDefinition } from '@grpc/proto-loader';
import type { AgentServiceDefinition, AgentServiceHandlers } from './types/dibs/v1/AgentService.ts';
import type { ArtifactServiceDefinition, ArtifactServiceHandlers } from './types/dibs/v1/ArtifactService.ts';
import type { OperatorServiceDefinition, OperatorServiceHandlers } from './types/dibs/v1/OperatorService.ts';
import type { WorkflowServiceDefinition, WorkflowServiceHandlers } from './types/dibs/v1/WorkflowService.ts';

/** A message to send: every field optional and read-only, enums and 64-bit integers as numbers, bytes as Uint8Array. */
export type Plain<T> = T extends Uint8Array
  ? Uint8Array
  : T extends readonly (infer Item)[]
    ? readonly Plain<Item>[]
    : T extends object
      ? string extends keyof T
        ? { readonly [K in keyof T]: Plain<T[K]> }
        : { readonly [K in keyof T]?: Plain<T[K]> | undefined }
      : T;

/** Carries the types of a service on its definition; never present at run time. */
declare const types: unique symbol;

export type Service<Handlers, Client> = grpc.ServiceDefinition & {
  readonly [types]?: { readonly handlers: Handlers; readonly client: Client };
};

/** What `server.addService` takes for a service. */
export type HandlersOf<S> = S extends Service<infer Handlers, unknown> ? Handlers : never;
/** What `makeClient` returns for a service. */
export type ClientOf<S> = S extends Service<unknown, infer Client> ? Client : never;

type KnownKeys<T> = keyof { [K in keyof T as string extends K ? never : K]: T[K] } & keyof T;

type Call = (...args: never[]) => void;

type HandlerFor<Generated, Request, Response> =
  Generated extends grpc.handleUnaryCall<infer _Q, infer _R>
    ? grpc.handleUnaryCall<Request, Plain<Response>>
    : Generated extends grpc.handleClientStreamingCall<infer _Q, infer _R>
      ? grpc.handleClientStreamingCall<Request, Plain<Response>>
      : Generated extends grpc.handleServerStreamingCall<infer _Q, infer _R>
        ? grpc.handleServerStreamingCall<Request, Plain<Response>>
        : Generated extends grpc.handleBidiStreamingCall<infer _Q, infer _R>
          ? grpc.handleBidiStreamingCall<Request, Plain<Response>>
          : Call;

type ClientMethodFor<Generated, Request, Response> =
  Generated extends grpc.handleUnaryCall<infer _Q, infer _R>
    ? UnaryMethod<Plain<Request>, Response>
    : Generated extends grpc.handleClientStreamingCall<infer _Q, infer _R>
      ? ClientStreamMethod<Plain<Request>, Response>
      : Generated extends grpc.handleServerStreamingCall<infer _Q, infer _R>
        ? ServerStreamMethod<Plain<Request>, Response>
        : Generated extends grpc.handleBidiStreamingCall<infer _Q, infer _R>
          ? BidiMethod<Plain<Request>, Response>
          : Call;

export interface UnaryMethod<Request, Response> {
  (request: Request, callback: grpc.requestCallback<Response>): grpc.ClientUnaryCall;
  (request: Request, metadata: grpc.Metadata, callback: grpc.requestCallback<Response>): grpc.ClientUnaryCall;
  (
    request: Request,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<Response>,
  ): grpc.ClientUnaryCall;
  (
    request: Request,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<Response>,
  ): grpc.ClientUnaryCall;
}

export interface ClientStreamMethod<Request, Response> {
  (callback: grpc.requestCallback<Response>): grpc.ClientWritableStream<Request>;
  (metadata: grpc.Metadata, callback: grpc.requestCallback<Response>): grpc.ClientWritableStream<Request>;
  (
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<Response>,
  ): grpc.ClientWritableStream<Request>;
}

export interface ServerStreamMethod<Request, Response> {
  (request: Request, options?: grpc.CallOptions): grpc.ClientReadableStream<Response>;
  (
    request: Request,
    metadata: grpc.Metadata,
    options?: grpc.CallOptions,
  ): grpc.ClientReadableStream<Response>;
}

export interface BidiMethod<Request, Response> {
  (options?: grpc.CallOptions): grpc.ClientDuplexStream<Request, Response>;
  (metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<Request, Response>;
}

type Handlers<Definition, Generated> = {
  [
    K in KnownKeys<Generated> & KnownKeys<Definition> & string as Uncapitalize<K>
  ]: Definition[K] extends MethodDefinition<infer _I, infer _O, infer Request, infer Response>
    ? HandlerFor<Generated[K], Request, Response>
    : Call;
};

type Client<Definition, Generated> = grpc.Client & {
  [
    K in KnownKeys<Generated> & KnownKeys<Definition> & string as Uncapitalize<K>
  ]: Definition[K] extends MethodDefinition<infer _I, infer _O, infer Request, infer Response>
    ? ClientMethodFor<Generated[K], Request, Response>
    : Call;
};

export type AgentHandlers = Handlers<AgentServiceDefinition, AgentServiceHandlers>;
export type AgentClient = Client<AgentServiceDefinition, AgentServiceHandlers>;
export type ArtifactHandlers = Handlers<ArtifactServiceDefinition, ArtifactServiceHandlers>;
export type ArtifactClient = Client<ArtifactServiceDefinition, ArtifactServiceHandlers>;
export type OperatorHandlers = Handlers<OperatorServiceDefinition, OperatorServiceHandlers>;
export type OperatorClient = Client<OperatorServiceDefinition, OperatorServiceHandlers>;
export type WorkflowHandlers = Handlers<WorkflowServiceDefinition, WorkflowServiceHandlers>;
export type WorkflowClient = Client<WorkflowServiceDefinition, WorkflowServiceHandlers>;

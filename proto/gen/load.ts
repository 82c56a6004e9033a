/**
 * The service definitions for grpc-js servers and clients, and the factory of typed clients.
 *
 * Invariants: a definition's serializers are those of codec.ts (no second conversion; a hot path at more than 20,000
 * messages a second); methods are keyed by their proto name and found by their camelCase name too, so handlers and
 * clients use camelCase. Siblings: loader.ts, index.ts and types/ are generated; service-types.ts says who sends what.
 */
import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';
import type protobuf from 'protobufjs';
import { codecOf, lookupService, protoRoot } from './codec.ts';
import { LOADER_OPTIONS, PROTO_FILES } from './loader.ts';
import type {
  AgentClient,
  AgentHandlers,
  ArtifactClient,
  ArtifactHandlers,
  OperatorClient,
  OperatorHandlers,
  Service,
  WorkflowClient,
  WorkflowHandlers,
} from './service-types.ts';

export { codec } from './codec.ts';
export type { Codec } from './codec.ts';
export type * from './service-types.ts';

export const agentService: Service<AgentHandlers, AgentClient> = define('dibs.v1.AgentService');
export const artifactService: Service<ArtifactHandlers, ArtifactClient> = define('dibs.v1.ArtifactService');
export const operatorService: Service<OperatorHandlers, OperatorClient> = define('dibs.v1.OperatorService');
export const workflowService: Service<WorkflowHandlers, WorkflowClient> = define('dibs.v1.WorkflowService');

/** Client of one service; several clients with the same address, credentials and options share a connection. */
export function makeClient<Client extends grpc.Client>(
  service: Service<unknown, Client>,
  address: string,
  credentials: grpc.ChannelCredentials,
  options: grpc.ClientOptions = {},
): Client {
  const Constructor = grpc.makeGenericClientConstructor(service, '');
  return new Constructor(address, credentials, options) as unknown as Client;
}

/** The descriptors as @grpc/reflection wants them. Loads the files a second time (about 20 ms): call it once. */
export function reflectionPackage(): protoLoader.PackageDefinition {
  return protoLoader.loadSync([...PROTO_FILES], { ...LOADER_OPTIONS, includeDirs: [protoRoot] });
}

function define(fullName: string): grpc.ServiceDefinition {
  const methods: Record<string, grpc.MethodDefinition<unknown, unknown>> = {};
  for (const method of lookupService(fullName).methodsArray) {
    const request = codecOf<unknown>(method.resolvedRequestType as protobuf.Type);
    const response = codecOf<unknown>(method.resolvedResponseType as protobuf.Type);
    methods[method.name] = {
      path: `/${fullName}/${method.name}`,
      originalName: method.name.charAt(0).toLowerCase() + method.name.slice(1),
      requestStream: method.requestStream === true,
      responseStream: method.responseStream === true,
      requestSerialize: request.encode,
      requestDeserialize: request.decode,
      responseSerialize: response.encode,
      responseDeserialize: response.decode,
    };
  }
  return methods;
}

/** Numbers both ends must agree on before they have talked. */

/** Where a coordinator serves gRPC unless told otherwise. */
export const DEFAULT_GRPC_PORT = 7400;

/** Port metrics and checks are served on by default. */
export const DEFAULT_HTTP_PORT = 7480;

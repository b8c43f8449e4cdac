// Errors of IAM, STS and SNS, whose documents differ from S3's.

const statusOf = {
  /** SNS's word for a topic that the requester may not use. */
  AuthorizationError: 403,
  /** Others changed the directory each time this request tried to. */
  ConcurrentModification: 409,
  /** What would be deleted still has keys, policies or members. */
  DeleteConflict: 409,
  EntityAlreadyExists: 409,
  /** A parameter can't be had here in this way. */
  InvalidInput: 400,
  /** SNS's word for a parameter that can't be. */
  InvalidParameter: 400,
  /** No action of that name, and none that is known and not there. */
  InvalidAction: 400,
  LimitExceeded: 409,
  MalformedPolicyDocument: 400,
  MissingParameter: 400,
  NoSuchEntity: 404,
  /** SNS's word for a topic that is not there. */
  NotFound: 404,
  NotImplemented: 501,
  TopicLimitExceeded: 403,
  ValidationError: 400,
} as const satisfies Readonly<Record<string, number>>;

export type IamErrorCode = keyof typeof statusOf;

export class IamError extends Error {
  override readonly name = 'IamError';
  readonly code: IamErrorCode;

  constructor(code: IamErrorCode, message: string) {
    super(message);
    this.code = code;
  }

  get status(): number {
    return statusOf[this.code];
  }
}

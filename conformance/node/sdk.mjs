// One face for three majors: what they renamed, and nothing else. Which one runs is said by WORKOS_NODE_SDK (7, 8 or 11).

const major = Number(process.env.WORKOS_NODE_SDK);
export const sdk = await import(`workos-${major}`);

const server = new URL(process.env.COUNTERSIGN_URL);
const where = { apiHostname: server.hostname, port: Number(server.port), https: false };

function face(workos) {
  if (major >= 9) {
    const mfa = workos.multiFactorAuth;
    return {
      mfa,
      enrollUserFactor: (options) => mfa.createUserAuthFactor(options),
      listUserFactors: (options) => mfa.listUserAuthFactors(options),
    };
  }
  return {
    mfa: workos.mfa,
    enrollUserFactor: (options) => workos.userManagement.enrollAuthFactor(options),
    listUserFactors: (options) => workos.userManagement.listAuthFactors(options),
  };
}

/** The guide's way: no key in the code, WORKOS_API_KEY in the environment. */
export function client(extra = {}) {
  return face(new sdk.WorkOS(undefined, { ...where, ...extra }));
}

export function clientWithKey(key) {
  return face(new sdk.WorkOS(key, where));
}

/** Locks are answered 429, which newer majors repeat with growing waits; one answer is enough to look at. */
export function clientWithoutRetries() {
  return client({ maxRetries: 0 });
}

export { major };

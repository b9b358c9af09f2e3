// The whole path, as an application with this SDK walks it: W1, W3, W5, W8, W9, W12, W13 and W14 of the wire contract.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { client, clientWithKey, clientWithoutRetries, major, sdk } from './sdk.mjs';
import { newestMessage, post, scan, totp, wrongBut, wrongTotp } from './phone.mjs';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const FACTOR_ID = /^auth_factor_[0-9A-HJKMNP-TV-Z]{26}$/;
const CHALLENGE_ID = /^auth_challenge_[0-9A-HJKMNP-TV-Z]{26}$/;
const IMPORTED = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP';

const { mfa, enrollUserFactor, listUserFactors } = client();

const challenge = (id, more = {}) => mfa.challengeFactor({ authenticationFactorId: id, ...more });
const verify = (id, code) => mfa.verifyChallenge({ authenticationChallengeId: id, code });

function isFactor(factor, type) {
  assert.equal(factor.object, 'authentication_factor');
  assert.match(factor.id, FACTOR_ID);
  assert.match(factor.createdAt, TIME);
  assert.equal(factor.updatedAt, factor.createdAt);
  assert.equal(factor.type, type);
}

function isChallenge(open, factor) {
  assert.equal(open.object, 'authentication_challenge');
  assert.match(open.id, CHALLENGE_ID);
  assert.equal(open.authenticationFactorId, factor.id);
  assert.match(open.createdAt, TIME);
  assert.equal(new Date(open.expiresAt) - new Date(open.createdAt), 600_000);
}

const used = (id) => ({
  constructor: sdk.UnprocessableEntityException,
  status: 422,
  code: 'authentication_challenge_previously_verified',
  message: `The authentication challenge '${id}' has already been verified.`,
});

const goneFactor = (id) => ({
  constructor: sdk.NotFoundException,
  status: 404,
  code: 'entity_not_found',
  message: `Authentication Factor not found: '${id}'.`,
});

/** The error's very class, since a subclass would pass `instanceof`, and its fields. */
async function refused(promise, { constructor, rawData, ...fields }) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.constructor, constructor, String(error));
    if (rawData) assert.deepEqual(error.rawData, rawData);
    for (const [name, value] of Object.entries(fields)) assert.equal(error[name], value, name);
    if (major >= 11) assert.match(error.requestID, /^[0-9a-f-]{36}$/);
    return true;
  });
}

/** A right and a wrong code for an open challenge, from the challenge to its end; used up means used up. */
async function wrongThenRight(factor, open, right, wrong) {
  isChallenge(open, factor);
  const no = await verify(open.id, wrong);
  assert.equal(no.valid, false);
  assert.equal(no.challenge.id, open.id);
  assert.equal(no.challenge.code, undefined);
  const yes = await verify(open.id, right);
  assert.equal(yes.valid, true);
  assert.equal(yes.challenge.expiresAt, open.expiresAt);
  await refused(verify(open.id, right), used(open.id));
  return yes;
}

async function deleteTwice(factor) {
  assert.equal(await mfa.deleteFactor(factor.id), undefined);
  await refused(mfa.getFactor(factor.id), goneFactor(factor.id));
  await refused(mfa.deleteFactor(factor.id), goneFactor(factor.id));
}

describe(`@workos-inc/node ${major}`, () => {
  it('totp: enroll, scan, get, challenge, wrong code, right code, used challenge, delete', async () => {
    const factor = await mfa.enrollFactor({ type: 'totp', issuer: 'Northwind', user: 'kim@example.org' });
    isFactor(factor, 'totp');
    assert.match(factor.totp.secret, /^[A-Z2-7]{32}$/);
    assert.equal(
      factor.totp.uri,
      `otpauth://totp/Northwind:kim@example.org?secret=${factor.totp.secret}&issuer=Northwind`,
    );
    assert.equal(scan(factor.totp.qrCode), factor.totp.uri);

    const found = await mfa.getFactor(factor.id);
    isFactor(found, 'totp');
    assert.deepEqual(found.totp, { issuer: 'Northwind', user: 'kim@example.org' });

    const open = await challenge(factor.id);
    assert.equal(open.code, undefined);
    await wrongThenRight(factor, open, totp(factor.totp.secret), wrongTotp(factor.totp.secret));
    await deleteTwice(factor);
    await refused(verify(open.id, '123456'), {
      constructor: sdk.NotFoundException,
      status: 404,
      code: 'entity_not_found',
      message: `Authentication Challenge not found: '${open.id}'.`,
    });
  });

  it('sms: the code is in the message and nowhere else', async () => {
    const phoneNumber = '+14155550123';
    const factor = await mfa.enrollFactor({ type: 'sms', phoneNumber });
    isFactor(factor, 'sms');
    assert.deepEqual(factor.sms, { phoneNumber });
    assert.deepEqual((await mfa.getFactor(factor.id)).sms, { phoneNumber });

    const open = await challenge(factor.id, { smsTemplate: 'Northwind says {{code}}.' });
    assert.equal(open.code, undefined);
    const message = await newestMessage(phoneNumber);
    assert.equal(message.authentication_challenge_id, open.id);
    assert.equal(message.body, `Northwind says ${message.code}.`);
    const yes = await wrongThenRight(factor, open, message.code, wrongBut(new Set([message.code])));
    assert.equal(yes.challenge.code, undefined);
    await deleteTwice(factor);
  });

  it('generic_otp: the caller delivers the code', async () => {
    const factor = await mfa.enrollFactor({ type: 'generic_otp' });
    isFactor(factor, 'generic_otp');
    assert.equal((await mfa.getFactor(factor.id)).type, 'generic_otp');
    const open = await challenge(factor.id);
    assert.match(open.code, /^\d{6}$/);
    const yes = await wrongThenRight(factor, open, open.code, wrongBut(new Set([open.code])));
    assert.equal(yes.challenge.code, open.code);
    await deleteTwice(factor);
  });

  it('a user: enroll with an imported secret, the first code, list with paging', async () => {
    const userId = `user_${randomUUID()}`;
    const first = await enrollUserFactor({
      userId,
      type: 'totp',
      totpIssuer: 'Northwind',
      totpUser: 'kim@example.org',
      totpSecret: IMPORTED.toLowerCase(),
    });
    isFactor(first.authenticationFactor, 'totp');
    assert.equal(first.authenticationFactor.userId, userId);
    assert.equal(first.authenticationFactor.totp.secret, IMPORTED);
    assert.equal(scan(first.authenticationFactor.totp.qrCode), first.authenticationFactor.totp.uri);
    await wrongThenRight(
      first.authenticationFactor,
      first.authenticationChallenge,
      totp(IMPORTED),
      wrongTotp(IMPORTED),
    );

    const oldestFirst = [first.authenticationFactor.id];
    for (const _ of [1, 2, 3]) {
      oldestFirst.push((await enrollUserFactor({ userId, type: 'totp' })).authenticationFactor.id);
    }
    oldestFirst.push((await post('/auth/factors/enroll', { type: 'totp', user_id: userId })).id);
    const newestFirst = oldestFirst.toReversed();
    const ids = (page) => page.data.map((factor) => factor.id);

    const page = await listUserFactors({ userId, limit: 2 });
    assert.deepEqual(ids(page), newestFirst.slice(0, 2));
    assert.equal(page.listMetadata.after, newestFirst[1]);
    assert.equal(page.listMetadata.before, null);
    const next = await listUserFactors({ userId, limit: 2, after: page.listMetadata.after });
    assert.deepEqual(ids(next), newestFirst.slice(2, 4));
    const back = await listUserFactors({ userId, limit: 2, before: next.listMetadata.before });
    assert.deepEqual(ids(back), newestFirst.slice(0, 2));
    const asc = await listUserFactors({ userId, order: 'asc' });
    assert.deepEqual(ids(asc), oldestFirst);
    for (const factor of asc.data) {
      assert.equal(factor.totp.secret, undefined);
      assert.equal(factor.totp.qrCode, undefined);
    }
    const everything = await (await listUserFactors({ userId })).autoPagination();
    assert.deepEqual(everything.map((factor) => factor.id), newestFirst);

    await mfa.deleteFactor(newestFirst[0]);
    assert.deepEqual(ids(await listUserFactors({ userId })), newestFirst.slice(1));
    assert.deepEqual(ids(await listUserFactors({ userId: randomUUID() })), []);
  });

  it('a list with every type: read by 11, a trap of 7 and 8 that no server can spring for them', async () => {
    const userId = `user_${randomUUID()}`;
    for (const type of ['generic_otp', 'sms', 'totp']) {
      await post('/auth/factors/enroll', { type, phone_number: '+14155550124', user_id: userId });
    }
    if (major >= 11) {
      const { data } = await listUserFactors({ userId, order: 'asc' });
      assert.deepEqual(data.map((factor) => factor.type), ['generic_otp', 'sms', 'totp']);
      assert.deepEqual(data[1].sms, { phoneNumber: '+14155550124' });
    } else {
      await assert.rejects(listUserFactors({ userId }), TypeError);
    }
  });

  it('401: a key that does not exist', async () => {
    await refused(clientWithKey('sk_test_wrong').mfa.getFactor('auth_factor_01'), {
      constructor: sdk.UnauthorizedException,
      status: 401,
    });
  });

  it('422: fields that do not hold, and the sentences that name them', async () => {
    await refused(mfa.enrollFactor({ type: 'fax' }), {
      constructor: sdk.UnprocessableEntityException,
      status: 422,
      code: 'invalid_request_parameters',
      message: 'The following requirement must be met:\n\ttype must be a valid enum value\n',
    });
    await refused(mfa.enrollFactor({ type: 'sms', phoneNumber: '+1415' }), {
      constructor: sdk.UnprocessableEntityException,
      status: 422,
      code: 'invalid_phone_number',
      message: "Phone number is invalid: '+1415'",
    });
  });

  it('400: too many attempts on one challenge; 429: a locked factor', async () => {
    const { mfa } = clientWithoutRetries();
    const factor = await mfa.enrollFactor({ type: 'generic_otp' });
    const fiveWrong = async (open) => {
      for (let n = 0; n < 5; n += 1) {
        const code = wrongBut(new Set([open.code]));
        assert.equal((await mfa.verifyChallenge({ authenticationChallengeId: open.id, code })).valid, false);
      }
    };
    const first = await challenge(factor.id);
    await fiveWrong(first);
    const message = 'Too many attempts. Create a new challenge.';
    await refused(mfa.verifyChallenge({ authenticationChallengeId: first.id, code: first.code }), {
      constructor: sdk.GenericServerException,
      status: 400,
      message,
      rawData: { message, code: 'one_time_code_too_many_attempts' },
    });
    await fiveWrong(await challenge(factor.id));
    const third = await challenge(factor.id);
    await refused(mfa.verifyChallenge({ authenticationChallengeId: third.id, code: third.code }), {
      constructor: sdk.RateLimitExceededException,
      status: 429,
      message: 'Too many failed verification attempts.',
      retryAfter: null,
    });
  });
});

import { print, refusal, stripe, told } from "./client.mjs";

const [body, signature, secret] = told;
const construct = async (...delivered) => stripe.webhooks.constructEvent(...delivered);
const event = await construct(body, signature, secret);
const altered = body.replace("delivered", "altered");

print({
  event: [event.object, event.type, event.data.object.event_name],
  changed: (await refusal(construct(altered, signature, secret))).type,
  otherSecret: (await refusal(construct(body, signature, "whsec_other"))).type,
});

// OpenAI's own client for Node: its `runTools` runs the loop over the client's own tool.
// A question per line on stdin, what came of it per line on stdout, as driving.py has it.

const readline = require("node:readline");
const { OpenAI } = require("openai");

const MODEL = "fake-model";
const STREAMED = { stream: true, stream_options: { include_usage: true } };
const PARAMETERS = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };

const client = new OpenAI({ maxRetries: 0 });

async function ask({ question, stream, tools }) {
  const report = { pieces: [], cities: [], finishes: [], prompt_tokens: 0, completion_tokens: 0 };
  const asked = { model: MODEL, messages: [{ role: "user", content: question }] };
  const request = { ...asked, ...(stream ? STREAMED : {}), ...(tools ? { tools: [weather(report)] } : {}) };
  for (const { choices, usage } of await answers(request, report.pieces)) {
    report.finishes.push(choices[0].finish_reason);
    report.prompt_tokens += usage.prompt_tokens;
    report.completion_tokens += usage.completion_tokens;
  }
  return report;
}

// The client's own tool, as `runTools` takes it.
function weather(report) {
  const run = ({ city }) => {
    report.cities.push(city);
    return `rain in ${city}`;
  };
  const tool = { name: "weather", description: "Tells the weather of a city", parameters: PARAMETERS };
  return { type: "function", function: { ...tool, parse: JSON.parse, function: run } };
}

// Each way of asking that the client has; resolves to all completions that it got.
async function answers(request, pieces) {
  const { completions } = client.chat;
  if (!request.stream && !request.tools) {
    const completion = await completions.create(request);
    pieces.push(completion.choices[0].message.content);
    return [completion];
  }
  const runner = request.tools ? completions.runTools(request) : completions.stream(request);
  runner.on("content", (piece) => pieces.push(piece));
  await runner.done();
  return runner.allChatCompletions();
}

function write(value) {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

async function serve() {
  write({ ready: true });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    write(await ask(JSON.parse(line)).catch((error) => ({ raised: kinds(error), message: error.message })));
  }
}

// The names of an error's class and of those it extends.
function kinds(error) {
  const names = [];
  for (let kind = error.constructor; kind.name; kind = Object.getPrototypeOf(kind)) names.push(`openai.${kind.name}`);
  return names;
}

serve();

"""The addon's hooks and their error boundary: what is this flow, and who answers it.

A hook that raises would let its request through (mitmproxy logs it and carries on). Therefore every
hook that decides has a boundary, and the address that mitmproxy would carry on to is one that nobody
serves.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from anyio import move_on_after, to_thread
from mitmproxy import command, connection, ctx, http
from mitmproxy.addonmanager import Loader
from mitmproxy.exceptions import OptionsError
from mitmproxy.utils.asyncio_utils import create_task

from werkzeugkoppler import ending, labels, options, views, webpage
from werkzeugkoppler.admission import admit, redact, wants_explanation
from werkzeugkoppler.config import load
from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.config.secrets import known_secrets
from werkzeugkoppler.delivery import Delivery
from werkzeugkoppler.drain import Drain, stopping
from werkzeugkoppler.endpoints.call import Call, Reply, Streamed, error_reply
from werkzeugkoppler.errors import ApiError, ConfigError, internal_error
from werkzeugkoppler.flows import is_killed
from werkzeugkoppler.gate.limits import Slots
from werkzeugkoppler.held import let_go, released
from werkzeugkoppler.labels import exchange_of
from werkzeugkoppler.logs import Terminal
from werkzeugkoppler.payloads import log_request, log_response
from werkzeugkoppler.reload import Reloader
from werkzeugkoppler.source import Source
from werkzeugkoppler.stack import Stack
from werkzeugkoppler.stacks import Stacks
from werkzeugkoppler.trace_writer import opened
from werkzeugkoppler.upload import Upload
from werkzeugkoppler.visit import Visit, Visits

OPEN_SECONDS = 10.0
"""How long a request waits for the addon to have started."""
CLOSE_SECONDS = 5.0
"""How long everything may take to stop: as the graceful window of the original (A2)."""

logger = logging.getLogger(__name__)


class Werkzeugkoppler:
    """The addon.

    Args:
        settings: The config; where it is `None` the option `koppler_config` names the file.
        announce: Called once everything has started.
        config: The file that `settings` are from, or would be if it were there.
        log_request_line: Is told of each request that has ended, in a line.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        announce: Callable[[Stack], None] | None = None,
        config: str = load.DEFAULT_PATH,
        log_request_line: Callable[[str], None] | None = None,
    ) -> None:
        self._settings = settings
        self._config = config
        self._is_launched = settings is not None
        self._announce = announce
        self._stacks = Stacks()
        self._terminal = Terminal(follows_level=self._is_launched)
        self._reloader: Reloader | None = None
        self._following: asyncio.Task[None] | None = None
        self._source = Source()
        self._slots = Slots()
        self._opened = asyncio.Event()
        self._is_closed = False
        self._visits = Visits(self._source, log_request_line)
        self.drain = Drain(self._visits)
        self._delivery = Delivery(self._source, self._visits)

    # Its life

    def load(self, loader: Loader) -> None:
        options.add_options(loader)
        views.register()
        if self._settings is not None:
            self._terminal.apply(self._settings)

    def configure(self, updated: set[str]) -> None:
        if self._is_launched or "koppler_config" not in updated:
            return
        if self._following is not None:
            raise OptionsError("koppler_config takes effect with a restart")
        try:
            self._settings = options.read_settings()
        except ConfigError as error:
            raise OptionsError(str(error)) from error
        self._config = options.config_source().path
        self._terminal.apply(self._settings)

    def running(self) -> None:
        if not self._is_launched:
            options.pin()
        ending.watch(lambda: self._is_closed)
        webpage.apply()
        create_task(self._open(), name="werkzeugkoppler start", keep_ref=True)

    def done(self) -> Awaitable[None]:
        views.unregister()
        # Not a coroutine function: mitmproxy calls `done` without awaiting when it reloads the script.
        return create_task(self._close(), name="werkzeugkoppler stop", keep_ref=True)

    # A request, in the order of its events

    def http_connect(self, flow: http.HTTPFlow) -> None:
        redact(flow, self._settings)

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        authorization = flow.request.headers.get("authorization")
        if exchange_of(flow) is None:
            redact(flow, self._settings)  # first: what mitmproxy has refused by now is recorded too
        if flow.response or flow.error or not flow.live:
            return
        visit = self._visits.receive(flow)
        with self._boundary(flow, visit):
            assert self._settings is not None
            admit(flow, visit, authorization, self._settings, self._slots)
            self._visits.let_in(visit)
            self.drain.check()
            if "transfer-encoding" in flow.request.headers and visit.replay_of is None:
                visit.upload = Upload(self._settings.max_request_bytes, visit.note_refusal)
                flow.request.stream = visit.upload
                self._delivery.stream(flow, visit, visit.upload.write)

    async def request(self, flow: http.HTTPFlow) -> None:
        visit = self._visits.get(flow)
        if visit is None:
            log_request(flow, self._settings)
            return
        if visit.is_answered or flow.response or flow.error or not flow.live:
            return
        if visit.upload is not None:
            flow.request.data.content = visit.upload.body()
        await released(flow, lambda: visit.is_over or visit.is_broken_off)
        let_go(flow)
        if flow.error or visit.is_over:
            return  # killed while it was held, or the client left
        if visit.is_broken_off:
            self._delivery.give(flow, visit, self._told(visit, stopping()))
            return
        log_request(flow, self._settings)
        visit.task = create_task(self._answer(flow, visit), name=f"turn {visit.trace.id}", keep_ref=True)
        try:
            reply = await visit.task
        except asyncio.CancelledError:
            if visit.is_over:
                return  # the client left
            if not visit.is_broken_off:
                raise
            reply = self._told(visit, stopping())
        is_ended = visit.is_over or (visit.replay_of is not None and is_killed(flow))
        if not is_ended:  # the client may have left since the task ended
            self._delivery.give(flow, visit, reply)

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        visit = self._visits.get(flow)
        if visit is None or flow.response is None:
            return
        if visit.parked is not None:
            flow.response.stream = True
            if flow.request.is_http10 and flow.response.headers.pop("transfer-encoding", None):
                flow.response.headers["connection"] = "close"  # the end of the connection is the body's end
        visit.put_back(flow)
        if visit.replay_of is not None:
            visit.name(flow, flow.response.status_code)  # where another addon has answered it

    def response(self, flow: http.HTTPFlow) -> None:
        log_response(flow, self._settings)
        visit = self._visits.get(flow)
        if visit is not None:
            self._visits.end(visit, flow)

    def error(self, flow: http.HTTPFlow) -> None:
        visit = self._visits.get(flow)
        if visit is not None:
            self._visits.break_off(visit, flow)

    def client_disconnected(self, client: connection.Client) -> None:
        self._visits.leave(client)

    @command.command("replay.client.stop")  # type: ignore[untyped-decorator]
    def stop_replays(self) -> None:
        """Clear the replay queue, and end the parts of turns that are done once more."""
        ctx.master.addons.get("clientplayback").stop_replay()
        self._visits.stop_replays()

    # How it starts and stops

    async def _open(self) -> None:
        assert self._settings is not None  # configure comes first
        settings = self._settings
        self._visits.traces = opened(settings, os.environ)
        self._visits.keep_flows = settings.keep_flows
        await self._source.open()
        stack = await self._stacks.replace(settings)
        exists = await to_thread.run_sync(Path(self._config).exists)
        self._opened.set()
        self._reloader = Reloader(
            Path(self._config),
            settings,
            exists=exists,
            read=partial(options.read_settings_again, self._config),
            apply=self._apply,
        )
        self._following = create_task(self._reloader.run(), name="config watch", keep_ref=True)
        await stack.toolbox.settled()
        if self._announce is not None:
            self._announce(stack)

    async def _apply(self, settings: Settings) -> None:
        """Put new settings to work (WK-27..32)."""
        assert self._settings is not None
        old = self._settings
        await self._stacks.replace(settings)
        self._settings = settings
        self._visits.keep_flows = settings.keep_flows
        self._terminal.apply(settings)
        if settings.traces != old.traces:
            traces, self._visits.traces = self._visits.traces, opened(settings, os.environ)
            if traces is not None:
                await to_thread.run_sync(traces.close)
        elif self._visits.traces is not None:
            self._visits.traces.hide(known_secrets(settings))

    async def _close(self) -> None:
        if self._following is not None:
            self._following.cancel()
        await self.drain.run()
        self._visits.end_all()
        self._source.close()
        with move_on_after(CLOSE_SECONDS):
            await self._stacks.close()
        if self._visits.traces is not None:
            await to_thread.run_sync(self._visits.traces.close)
        self._is_closed = True

    # What a request is, and whether it is let in

    @contextmanager
    def _boundary(self, flow: http.HTTPFlow, visit: Visit) -> Iterator[None]:
        """Fail closed: whatever goes wrong in here, the request is answered by us."""
        try:
            yield
        except ApiError as error:
            self._delivery.refuse(flow, visit, error)
        except Exception:  # boundary
            logger.exception("A request's head could not be handled")
            self._delivery.refuse(flow, visit, internal_error())

    # Who answers it

    async def _answer(self, flow: http.HTTPFlow, visit: Visit) -> Reply | Streamed:
        try:
            if not self._opened.is_set():
                with move_on_after(OPEN_SECONDS):
                    await self._opened.wait()
            if self._reloader is None:
                raise ApiError(503, "still starting, try again", code="starting", type="server_error")
            assert visit.route is not None
            body = flow.request.get_content(strict=False) or b""
            visit.hold = self._stacks.hold()
            if visit.route.takes_slot:
                labels.note_settings(flow, visit.hold.stack.kept_settings)
            call = Call(
                visit.hold.stack,
                visit.link,
                visit.trace,
                body,
                visit.has_key,
                self._reloader.error,
                wants_explanation=wants_explanation(flow),
            )
            return await visit.route.endpoint(call)
        except ApiError as error:
            return self._told(visit, error)
        except Exception:  # boundary
            logger.exception("A request could not be answered")
            return self._told(visit, internal_error())

    def _told(self, visit: Visit, error: ApiError) -> Reply:
        visit.trace.add_error(error)
        return error_reply(error)

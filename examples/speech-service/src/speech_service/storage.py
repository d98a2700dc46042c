"""What was found, kept in any database SQLAlchemy can reach."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    DateTime,
    Dialect,
    Engine,
    ForeignKey,
    NullPool,
    QueuePool,
    String,
    TypeDecorator,
    create_engine,
    func,
    literal,
    make_url,
    select,
)
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    mapped_column,
    relationship,
    selectinload,
    sessionmaker,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from speech_service.vad.span import Span

MAX_ID = 2**31 - 1
"""Largest value of an SQL integer; a greater one in a query is an error in some databases."""

MAX_FILENAME = 255


class UtcDateTime(TypeDecorator[datetime]):
    """A moment that comes back with its time zone, also from databases that drop it (SQLite)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Label what the database returned; only UTC is ever written."""
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """All tables."""


class Recording(Base):
    """One analysed upload; the audio itself is not kept."""

    __tablename__ = "recording"

    id: Mapped[int] = mapped_column(primary_key=True)
    filename: Mapped[str] = mapped_column(String(MAX_FILENAME))
    duration: Mapped[float]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=lambda: datetime.now(UTC))
    segments: Mapped[list[Segment]] = relationship(
        order_by="(Segment.start, Segment.id)", cascade="all, delete-orphan"
    )


class Segment(Base):
    """One stretch of speech in a recording, in seconds."""

    __tablename__ = "segment"

    id: Mapped[int] = mapped_column(primary_key=True)
    recording_id: Mapped[int] = mapped_column(ForeignKey(Recording.id), index=True)
    start: Mapped[float]
    end: Mapped[float]
    speaker: Mapped[str | None] = mapped_column(String(64))


class RecordingStore:
    """The database as the service uses it. Results are detached and complete."""

    def __init__(self, url: str) -> None:
        """Connect, and create the tables that are missing.

        There are no migrations: the first change of a table is the time to bring in a tool.
        """
        self._engine = _create_engine(url)
        Base.metadata.create_all(self._engine)
        self._session = sessionmaker(self._engine, expire_on_commit=False)

    def add(self, filename: str, duration: float, spans: Sequence[Span]) -> Recording:
        """Store one analysed recording."""
        recording = Recording(
            filename=filename[:MAX_FILENAME],
            duration=duration,
            segments=[Segment(start=s.start, end=s.end, speaker=s.speaker) for s in spans],
        )
        with self._session.begin() as session:
            session.add(recording)
        return recording

    def get(self, recording_id: int) -> Recording | None:
        """Return one recording, or None when there is no such number."""
        with self._session() as session:
            return session.get(Recording, recording_id, options=[selectinload(Recording.segments)])

    def page(self, limit: int, offset: int) -> tuple[Sequence[Recording], int]:
        """Return part of the recordings, newest first, and how many there are in all."""
        newest_first = (
            select(Recording)
            .options(selectinload(Recording.segments))
            .order_by(Recording.id.desc())
            .limit(limit)
            .offset(offset)
        )
        with self._session() as session:
            total = session.scalar(select(func.count()).select_from(Recording)) or 0
            return session.scalars(newest_first).all(), total

    def ping(self) -> None:
        """Raise SQLAlchemyError unless the database answers and holds our table."""
        with self._session() as session:
            session.execute(select(literal(1)).select_from(Recording).limit(1))

    def close(self) -> None:
        """Give back all connections."""
        self._engine.dispose()


def _create_engine(url: str) -> Engine:
    """Choose a pool that is right for threads and for a database that can disappear.

    A pooled connection to an SQLite file would go on answering from a file that was deleted or
    replaced, and the health probe would believe it; opening one anew costs next to nothing. An
    SQLite database in memory lives and dies with its only connection. Servers get SQLAlchemy's
    default pool, with connections tested before use because servers restart.
    """
    parsed = make_url(url)
    options: dict[str, Any] = {"pool_pre_ping": True}
    if parsed.get_backend_name() == "sqlite":
        if parsed.database in (None, "", ":memory:"):
            options = {
                "poolclass": QueuePool,
                "pool_size": 1,
                "max_overflow": 0,
                "connect_args": {"check_same_thread": False},
            }
        else:
            options = {"poolclass": NullPool}
    return create_engine(parsed, **options)

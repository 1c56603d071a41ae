package pipeline;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.util.Iterator;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FSDataOutputStreamBuilder;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.s3a.RemoteFileChangedException;

/** Writes a commit only if no other machine has written it. Delta's own log store for S3 looks first, and then overwrites. */
public class ConditionalS3LogStore extends io.delta.storage.S3SingleDriverLogStore {
    private static final String IF_ABSENT = "fs.option.create.conditional.overwrite";

    public ConditionalS3LogStore(Configuration conf) {
        super(conf);
    }

    public void write(Path path, Iterator actions, Boolean overwrite, Configuration conf) throws IOException {
        if (overwrite.booleanValue()) {
            super.write(path, actions, overwrite, conf);
            return;
        }
        // Whole before the file is opened: closing it is what makes the commit.
        byte[] content = lines(actions);
        FileSystem files = path.getFileSystem(conf);
        FSDataOutputStreamBuilder creation = (FSDataOutputStreamBuilder) files.createFile(path).recursive().must(IF_ABSENT, true);
        try {
            FSDataOutputStream stream = (FSDataOutputStream) creation.build();
            stream.write(content);
            stream.close();
        } catch (RemoteFileChangedException taken) {
            throw new FileAlreadyExistsException(path.toString());
        }
    }

    private static byte[] lines(Iterator actions) throws IOException {
        ByteArrayOutputStream content = new ByteArrayOutputStream();
        while (actions.hasNext()) {
            content.write((actions.next() + "\n").getBytes(StandardCharsets.UTF_8));
        }
        return content.toByteArray();
    }
}
